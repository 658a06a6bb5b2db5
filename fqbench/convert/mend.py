"""Biases and activations of a Paddle program in the form that oneDNN folds into a convolution.

x2paddle reshapes each bias before it adds it, spells x * sigmoid(x) as two operators, and a clip
by tensors. None of these fuse; with INT8 enabled, a clip by tensors makes Paddle Inference
compute garbage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fqbench.convert.program import CONVOLUTIONS, index_of, load, producer_of, save

RELU6_LIMITS = (0.0, 6.0)
CHANNEL_AXIS = 1


def mend(folder: Path) -> None:
    """Rewrite the Paddle model in ``folder`` in place."""
    program = load(folder)
    block = program.block
    for op in list(block.ops):
        if op.type == "clip":
            _clip_by_constants(block, op)
    for op in list(block.ops):
        if op.type == "elementwise_mul":
            _swish(block, op)
        elif op.type == "elementwise_add":
            _bias_by_channel(block, op)
    save(program, folder)


def _bias_by_channel(block: Any, add: Any) -> None:
    """Add a convolution's bias [channels] along the channels, not reshaped to [1, c, 1, 1]."""
    convolution = producer_of(block, add.input("X")[0])
    reshape = producer_of(block, add.input("Y")[0])
    if convolution is None or convolution.type not in CONVOLUTIONS:
        return
    if reshape is None or reshape.type != "reshape2":
        return
    bias = reshape.input("X")[0]
    if not block.var(bias).persistable or len(block.var(bias).shape) != 1:
        return
    add._rename_input(add.input("Y")[0], bias)
    add._set_attr("axis", CHANNEL_AXIS)
    block._remove_op(index_of(block, reshape))


def _clip_by_constants(block: Any, clip: Any) -> None:
    """Replace a clip between tensors that hold constants by relu6 or a clip by attributes."""
    limits = []
    for side in ("Min", "Max"):
        names = clip.input(side)
        producer = producer_of(block, names[0]) if names else None
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
        sigmoid = producer_of(block, gate)
        if sigmoid is None or sigmoid.type != "sigmoid" or sigmoid.input("X")[0] != value:
            continue
        if sum(gate in op.input_arg_names for op in block.ops) == 1:
            _replace(block, multiply, "swish", value, {"beta": 1.0})
            block._remove_op(index_of(block, sigmoid))
            return


def _replace(block: Any, old: Any, kind: str, source: str, attributes: dict[str, Any]) -> None:
    target = old.output("Out")[0]
    index = index_of(block, old)
    block._remove_op(index)
    block._insert_op(
        index,
        type=kind,
        inputs={"X": block.var(source)},
        outputs={"Out": block.var(target)},
        attrs=attributes,
    )
