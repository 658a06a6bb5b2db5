"""Values moved, repeated and joined: shapes, slices, concatenations, paddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle

from fqbench.convert.operators.operator import (
    Array,
    Operator,
    Unsupported,
    Variable,
    converts,
    parameter,
    sizes,
)
from fqbench.convert.operators.padding import padded
from fqbench.convert.operators.resizing import shuffled, transposes_channels
from fqbench.graph.graph import attributes

PAD_MODES = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}
"""ONNX's modes that copy values, by NumPy's names."""


@converts("Reshape")
def reshape(op: Operator) -> Variable:
    """To another shape; one that ends a channel shuffle makes that one operator."""
    if (shuffle := _shuffle(op)) is not None:
        return shuffle
    if op.known(1) is None:
        return paddle.reshape(op.variable(0), paddle.cast(op.variable(1), "int32"))
    shape, wanted = op.shape(0), op.numbers(1, "its shape")
    if not op.attribute("allowzero", 0):
        wanted = [shape[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    return paddle.reshape(op.variable(0), wanted)


def _shuffle(op: Operator) -> Variable | None:
    """A reshape of [n, c, h, w] apart, a transpose and the reshape ``op`` back as one operator."""
    transpose = op.producer(0)
    if transpose is None or transpose.op_type != "Transpose":
        return None
    apart = op.graph.producer.get(transpose.input[0])
    order = attributes(transpose).get("perm", [])
    if apart is None or apart.op_type != "Reshape" or not transposes_channels(order):
        return None
    source, split = op.value(apart.input[0]), op.value(apart.output[0])
    if isinstance(source, np.ndarray) or op.known(1) is None:
        return None
    shape, parts = sizes(source), sizes(split)
    wanted = tuple(
        shape[axis] if size == 0 else size for axis, size in enumerate(op.numbers(1, "its shape"))
    )
    if len(shape) != 4 or parts[0] != shape[0] or parts[3:] != shape[2:]:
        return None
    fits = len(wanted) == 4 and all(w in (s, -1) for w, s in zip(wanted, shape, strict=True))
    return shuffled(source, parts[1]) if fits else None


@converts("Flatten")
def flatten(op: Operator) -> Variable:
    """To two axes."""
    shape = op.shape(0)
    axis = op.attribute("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    rows = int(np.prod(shape[:axis], dtype=np.int64))
    return paddle.reshape(op.variable(0), [rows, int(np.prod(shape[axis:], dtype=np.int64))])


@converts("Squeeze")
def squeeze(op: Operator) -> Variable:
    """Without axes of one place."""
    rank = len(op.shape(0))
    axes = op.numbers(1, "its axes") if op.has(1) else list(op.attribute("axes", []))
    if not axes:
        axes = [axis for axis, size in enumerate(op.shape(0)) if size == 1]
    return (
        paddle.squeeze(op.variable(0), [axis % rank for axis in axes]) if axes else op.variable(0)
    )


@converts("Unsqueeze")
def unsqueeze(op: Operator) -> Variable:
    """With more axes of one place."""
    axes = op.numbers(1, "its axes") if op.has(1) else list(op.attribute("axes", []))
    rank = len(op.shape(0)) + len(axes)
    return paddle.unsqueeze(op.variable(0), sorted(axis % rank for axis in axes))


@converts("Transpose")
def transpose(op: Operator) -> Variable:
    """With axes in another order, backwards where none is given."""
    order = op.attribute("perm", range(len(op.shape(0)))[::-1])
    return paddle.transpose(op.variable(0), list(order))


@converts("Concat")
def concatenation(op: Operator) -> Variable:
    """Along an axis; parts of no place are left out.

    A constant at the start is copied first: a pass of Paddle 2.6.2 ends the process where no
    operator writes the first part.
    """
    axis = op.attribute("axis", 0)
    first, *others = [i for i in range(op.count()) if op.shape(i)[axis]]
    start = op.variable(first)
    if not others:
        return start
    start = start if op.known(first) is None else paddle.assign(start)
    return paddle.concat([start, *(op.variable(i) for i in others)], axis=axis)


@converts("Split")
def split(op: Operator) -> list[Variable]:
    """Into parts of given sizes, or of equal ones, of which the last may be smaller."""
    axis = op.attribute("axis", 0) % len(op.shape(0))
    whole, parts = op.shape(0)[axis], op.results()
    given = op.numbers(1, "the sizes of its parts") if op.has(1) else None
    given = op.attribute("split", None) if given is None else given
    if given is None:
        each = -(-whole // parts)
        given = [max(min(each, whole - number * each), 0) for number in range(parts)]
    return list(paddle.split(op.variable(0), list(given), axis))


@converts("Slice")
def slices(op: Operator) -> Variable:
    """Parts of axes, forwards or backwards."""
    shape = op.shape(0)
    starts, ends = op.numbers(1, "its starts"), op.numbers(2, "its ends")
    axes = op.numbers(3, "its axes") if op.has(3) else list(range(len(starts)))
    steps = op.numbers(4, "its steps") if op.has(4) else [1] * len(starts)
    plain: dict[int, tuple[int, int, int]] = {}
    result = op.variable(0)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        axis %= len(shape)
        places = range(shape[axis])[_slice(start, end, step)]
        if not places:
            raise Unsupported("its result is empty")
        if step < 0:
            result = paddle.gather(result, parameter(np.array(places, np.int64)), axis)
        elif len(places) < shape[axis]:
            plain[axis] = places.start, min(places.stop, shape[axis]), places.step
    if not plain:
        return result
    bounds = [list(values) for values in zip(*plain.values(), strict=True)]
    if set(bounds[2]) == {1}:
        return paddle.slice(result, list(plain), bounds[0], bounds[1])
    return paddle.strided_slice(result, list(plain), *bounds)


def _slice(start: int, end: int, step: int) -> slice:
    """As Python's, which takes no end beyond the first place for one before it."""
    least = -(2**31)
    return slice(start, None if step < 0 and end <= least else end, step)


@converts("Pad")
def pad(op: Operator) -> Variable:
    """Axes made longer by a constant or by copies, or shorter."""
    rank, pads = len(op.shape(0)), op.numbers(1, "its amounts")
    axes = op.numbers(3, "its axes") if op.has(3) else list(range(rank))
    half = len(pads) // 2
    amounts = dict.fromkeys(range(rank), (0, 0))
    for axis, before, after in zip(axes, pads[:half], pads[half:], strict=True):
        amounts[axis % rank] = before, after
    x = _cropped(op.variable(0), amounts)
    longer = {axis: (max(b, 0), max(a, 0)) for axis, (b, a) in amounts.items() if max(b, a) > 0}
    mode = op.attribute("mode", "constant")
    if not longer:
        return x
    if mode != "constant":
        for axis, pair in longer.items():
            places = np.pad(np.arange(sizes(x)[axis]), pair, mode=_numpy_mode(mode))
            x = paddle.gather(x, parameter(places.astype(np.int64)), axis)
        return x
    value = float(op.constant(2, "its value").reshape(-1)[0]) if op.has(2) else 0.0
    return padded(x, longer, value)


def _numpy_mode(mode: str) -> Any:
    if mode not in PAD_MODES:
        raise Unsupported(f"mode {mode} is not known")
    return PAD_MODES[mode]


def _cropped(x: Variable, amounts: dict[int, tuple[int, int]]) -> Variable:
    cut = {axis: pair for axis, pair in amounts.items() if min(pair) < 0}
    if not cut:
        return x
    shape = sizes(x)
    starts = [max(-before, 0) for before, _ in cut.values()]
    ends = [shape[axis] + min(after, 0) for axis, (_, after) in cut.items()]
    return paddle.slice(x, list(cut), starts, ends)


@converts("Expand")
def expand(op: Operator) -> Variable:
    """Repeated to a shape, or to what that and its own broadcast to."""
    shape = np.broadcast_shapes(op.shape(0), tuple(op.numbers(1, "its shape")))
    return paddle.expand(op.variable(0), list(shape))


@converts("Tile")
def tile(op: Operator) -> Variable:
    """Repeated as a whole along axes."""
    return paddle.tile(op.variable(0), op.numbers(1, "its repeats"))


@converts("Shape")
def shape(op: Operator) -> Array:
    """The sizes of axes, a constant."""
    found = op.shape(0)[op.attribute("start", 0) : op.attribute("end", None)]
    return np.array(found, np.int64)


@converts("Size")
def size(op: Operator) -> Array:
    """The number of values, a constant."""
    return np.array(np.prod(op.shape(0)), np.int64)


@converts("Trilu")
def triangle(op: Operator) -> Variable:
    """The part above or below a diagonal, zero elsewhere."""
    diagonal = op.numbers(1, "its diagonal")[0] if op.has(1) else 0
    function = paddle.triu if op.attribute("upper", 1) else paddle.tril
    return function(op.variable(0), diagonal)
