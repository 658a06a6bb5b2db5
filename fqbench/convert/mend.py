"""A Paddle program in the form that oneDNN runs fast: fused into convolutions, in few kernels.

x2paddle reshapes each bias before it adds it, spells x * sigmoid(x) as two operators, a clip by
tensors and a channel shuffle as three operators. None of these fuse; with INT8 enabled, a clip by
tensors makes Paddle Inference compute garbage. A strided slice has a kernel many times slower than
that of a plain one, and so has arithmetic with a constant that is repeated along inner axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fqbench.convert.program import CONVOLUTIONS, index_of, load, producer_of, readers_of, save

RELU6_LIMITS = (0.0, 6.0)
CHANNEL_AXIS = 1
SLICE = ("axes", "starts", "ends", "infer_flags", "decrease_axis")
"""Attributes that a strided and a plain slice share."""


def mend(folder: Path) -> None:
    """Rewrite the Paddle model in ``folder`` in place."""
    import paddle

    program = load(folder)
    block, scope = program.block, paddle.static.global_scope()

    def each(kind: str) -> list[Any]:
        return [op for op in block.ops if op.type == kind]

    for op in each("clip"):
        _clip_by_constants(block, op)
    for op in each("strided_slice"):
        _slice(block, op)
    for op in each("transpose2"):
        _shuffle(block, op)
    for op in each("elementwise_mul"):
        _swish(block, op)
    for op in each("elementwise_add"):
        _bias_by_channel(block, op)
    for op in (*each("elementwise_add"), *each("elementwise_mul")):
        _repeat_constant(block, scope, op)
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


def _slice(block: Any, strided: Any) -> None:
    """Replace a strided slice of constant bounds and strides of one by a plain slice."""
    (source,) = strided.input("Input")
    if strided.input_arg_names == [source] and set(strided.attr("strides")) == {1}:
        attributes = {name: strided.attr(name) for name in SLICE}
        _replace(block, strided, "slice", source, attributes, slot="Input")


def _shuffle(block: Any, transpose: Any) -> None:
    """Replace reshape, transpose and reshape that shuffle channels by one operator."""
    apart = producer_of(block, transpose.input("X")[0])
    readers = readers_of(block, transpose.output("Out")[0])
    if transpose.attr("axis") != [0, 2, 1, 3, 4] or apart is None or len(readers) != 1:
        return
    (together,) = readers
    if {apart.type, together.type} != {"reshape2"}:
        return
    source, split = apart.input("X")[0], apart.output("Out")[0]
    shape = tuple(block.var(source).shape)
    groups = block.var(split).shape[1]
    if tuple(block.var(together.output("Out")[0]).shape) != shape or len(shape) != 4:
        return
    if len(readers_of(block, split)) != 1:
        return
    _replace(block, together, "shuffle_channel", source, {"group": int(groups)})
    for op in (transpose, apart):
        block._remove_op(index_of(block, op))


def _swish(block: Any, multiply: Any) -> None:
    """Replace x * sigmoid(x) by swish, where nothing else reads the sigmoid."""
    left, right = multiply.input("X")[0], multiply.input("Y")[0]
    for value, gate in ((left, right), (right, left)):
        sigmoid = producer_of(block, gate)
        if sigmoid is None or sigmoid.type != "sigmoid" or sigmoid.input("X")[0] != value:
            continue
        if len(readers_of(block, gate)) == 1:
            _replace(block, multiply, "swish", value, {"beta": 1.0})
            block._remove_op(index_of(block, sigmoid))
            return


def _repeat_constant(block: Any, scope: Any, op: Any) -> None:
    """Give a constant operand that is repeated along inner axes the other operand's shape."""
    name, other = op.input("Y")[0], op.input("X")[0]
    shape = tuple(block.var(other).shape)
    if not block.var(name).persistable or not repeats_within(block.var(name).shape, shape):
        return
    result = f"{name}.repeated.{'x'.join(map(str, shape))}"
    if not block.has_var(result):
        value = np.asarray(scope.find_var(name).get_tensor())
        block.create_var(name=result, shape=shape, dtype=str(value.dtype), persistable=True)
        import paddle

        tensor = scope.var(result).get_tensor()
        tensor.set(np.ascontiguousarray(np.broadcast_to(value, shape)), paddle.CPUPlace())
    op._rename_input(name, result)


def repeats_within(constant: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether an axis along which ``constant`` is repeated to ``shape`` lies between others.

    As [1, 3, 1, 1, 2] to [1, 3, 80, 80, 2]: for that, oneDNN has only its reference kernel.
    """
    axes = [own for own, whole in zip(constant, shape, strict=False) if whole != 1]
    wholes = [whole for whole in shape if whole != 1]
    if len(constant) != len(shape) or any(
        o not in (1, w) for o, w in zip(axes, wholes, strict=True)
    ):
        return False
    kept = [number for number, own in enumerate(axes) if own != 1]
    return bool(kept) and kept[-1] - kept[0] >= len(kept)


def _replace(
    block: Any,
    old: Any,
    kind: str,
    source: str,
    attributes: Mapping[str, float | Sequence[int]],
    slot: str = "X",
) -> None:
    """Put an operator of one input and one output in the place of ``old``."""
    target = old.output("Out")[0]
    index = index_of(block, old)
    block._remove_op(index)
    block._insert_op(
        index,
        type=kind,
        inputs={slot: block.var(source)},
        outputs={"Out": block.var(target)},
        attrs=dict(attributes),
    )
