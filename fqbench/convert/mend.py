"""Activations of a Paddle program in the form oneDNN folds into the convolution before them.

x2paddle spells x * sigmoid(x) as two operators and a clip by tensors. Neither fuses; with INT8
enabled, a clip by tensors makes Paddle Inference compute garbage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

RELU6_LIMITS = (0.0, 6.0)


def mend(folder: Path, stem: str) -> None:
    """Rewrite the Paddle model ``stem`` in ``folder`` in place. Imports paddle."""
    import paddle

    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    program, feeds, fetches = paddle.static.load_inference_model(str(folder / stem), executor)
    block = program.global_block()
    for op in list(block.ops):
        if op.type == "clip":
            _clip_by_constants(block, op)
    for op in list(block.ops):
        if op.type == "elementwise_mul":
            _swish(block, op)
    paddle.static.save_inference_model(
        str(folder / stem), [block.var(n) for n in feeds], fetches, executor, program=program
    )


def _clip_by_constants(block: Any, clip: Any) -> None:
    """Replace a clip between tensors that hold constants by relu6 or a clip by attributes."""
    limits = []
    for side in ("Min", "Max"):
        names = clip.input(side)
        producer = _producer(block, names[0]) if names else None
        if producer is None or producer.type != "fill_constant":
            return
        limits.append(float(producer.attr("value")))
    kind, attributes = "clip", dict(zip(("min", "max"), limits, strict=True))
    if tuple(limits) == RELU6_LIMITS:
        kind, attributes = "relu6", {"threshold": limits[1]}
    _replace(block, clip, kind, clip.input("X")[0], attributes)


def _swish(block: Any, multiply: Any) -> None:
    """Replace x * sigmoid(x) by swish, where nothing else reads the sigmoid."""
    left, right = multiply.input("X")[0], multiply.input("Y")[0]
    for value, gate in ((left, right), (right, left)):
        sigmoid = _producer(block, gate)
        if sigmoid is None or sigmoid.type != "sigmoid" or sigmoid.input("X")[0] != value:
            continue
        if sum(gate in op.input_arg_names for op in block.ops) == 1:
            _replace(block, multiply, "swish", value, {"beta": 1.0})
            _remove(block, sigmoid)
            return


def _producer(block: Any, name: str) -> Any:
    return next((op for op in block.ops if name in op.output_arg_names), None)


def _replace(block: Any, old: Any, kind: str, source: str, attributes: dict[str, Any]) -> None:
    target = old.output("Out")[0]
    index = _index(block, old)
    block._remove_op(index)
    block._insert_op(
        index,
        type=kind,
        inputs={"X": block.var(source)},
        outputs={"Out": block.var(target)},
        attrs=attributes,
    )


def _remove(block: Any, op: Any) -> None:
    block._remove_op(_index(block, op))


def _index(block: Any, op: Any) -> int:
    """Position of ``op`` now; it moves with every insertion and removal."""
    return next(i for i, other in enumerate(block.ops) if other.desc == op.desc)
