"""Poolings."""

from __future__ import annotations

import itertools

import numpy as np
import paddle

from fqbench.convert.operators.operator import (
    Array,
    Operator,
    Unsupported,
    Variable,
    converts,
    emit,
    parameter,
    sizes,
)
from fqbench.convert.operators.padding import padded
from fqbench.convert.operators.window import Window, window_of

PLANE = 2
LOWEST = float(np.finfo(np.float32).min)
"""What no maximum is."""


@converts("GlobalAveragePool")
def global_average(op: Operator) -> Variable:
    """Over all spatial axes."""
    return _whole(op, "avg")


@converts("GlobalMaxPool")
def global_maximum(op: Operator) -> Variable:
    """Over all spatial axes."""
    return _whole(op, "max")


def _whole(op: Operator, kind: str) -> Variable:
    if len(op.shape(0)) != 2 + PLANE:
        function = paddle.mean if kind == "avg" else paddle.max
        return function(op.variable(0), list(range(2, len(op.shape(0)))), keepdim=True)
    attrs = {"pooling_type": kind, "ksize": [1, 1], "adaptive": True}
    return emit("pool2d", {"X": op.variable(0)}, attrs)


@converts("MaxPool")
def maximum(op: Operator) -> Variable:
    """The largest in each window."""
    op.refuse_others("what says where its maxima lie")
    window, source, line = _seen(op)
    if any(step > 1 for step in window.dilations):
        result = _of_dilated(source, window)
    elif window.symmetric:
        result = _pooled(source, window, "max")
    else:
        padded = _padded(source, window.pads, LOWEST)
        result = _pooled(padded, _without_pads(window), "max")
    return paddle.squeeze(result, 2) if line else result


@converts("AveragePool")
def average(op: Operator) -> Variable:
    """The mean of each window; ``count_include_pad`` says of how many places."""
    window, source, line = _seen(op)
    if any(step > 1 for step in window.dilations):
        raise Unsupported("Paddle has none with dilations")
    counted = bool(op.attribute("count_include_pad", 0))
    given = _given_pads(op, window)
    if given == window.pads and window.symmetric:
        result = _pooled(source, window, "avg", exclusive=not counted)
    else:
        result = _exact_average(source, window, given if counted else ((0, 0),) * PLANE)
    return paddle.squeeze(result, 2) if line else result


def _seen(op: Operator) -> tuple[Window, Variable, bool]:
    """The window over a plane, what it slides over, and whether that was a line."""
    image = op.shape(0)[2:]
    if len(image) > PLANE:
        raise Unsupported(f"Paddle has none over {len(image)} axes")
    window = window_of(op, op.attribute("kernel_shape", []), image)
    line = len(image) == 1
    source = op.variable(0)
    if line:
        window, source = _in_plane(window), paddle.unsqueeze(source, 2)
    if op.attribute("ceil_mode", 0):
        window = _ceiled(window, sizes(source)[2:])
    return window, source, line


def _in_plane(window: Window) -> Window:
    return Window(
        (1, *window.kernel), (1, *window.strides), (1, *window.dilations), ((0, 0), *window.pads)
    )


def _without_pads(window: Window) -> Window:
    return Window(window.kernel, window.strides, window.dilations, ((0, 0),) * len(window.kernel))


def _given_pads(op: Operator, window: Window) -> tuple[tuple[int, int], ...]:
    """The pads that the node asks for, without those that rounding up adds."""
    found = window_of(op, op.attribute("kernel_shape", []), op.shape(0)[2:])
    return found.pads if len(found.pads) == len(window.pads) else ((0, 0), *found.pads)


def _ceiled(window: Window, image: tuple[int, ...]) -> Window:
    """The window with pads for a last, partial step; none starts in the pads at the end."""
    pads = []
    rows = zip(window.extents, window.strides, window.pads, image, strict=True)
    for extent, stride, (before, after), size in rows:
        steps = -(-(before + size + after - extent) // stride)
        if steps * stride >= before + size:
            steps -= 1
        pads.append((before, max(steps * stride + extent - before - size, after)))
    return Window(window.kernel, window.strides, window.dilations, tuple(pads))


def _padded(source: Variable, pads: tuple[tuple[int, int], ...], value: float) -> Variable:
    return padded(source, dict(enumerate(pads, start=2)), value)


def _pooled(source: Variable, window: Window, kind: str, *, exclusive: bool = True) -> Variable:
    attrs = {
        "pooling_type": kind,
        "ksize": list(window.kernel),
        "strides": list(window.strides),
        "paddings": [before for before, _ in window.pads],
        "exclusive": exclusive,
    }
    return emit("pool2d", {"X": source}, attrs)


def _exact_average(
    source: Variable, window: Window, counted: tuple[tuple[int, int], ...]
) -> Variable:
    """The mean over zeros at the ends too, corrected by how many places are ``counted``."""
    image = sizes(source)[2:]
    result = _pooled(
        _padded(source, window.pads, 0.0), _without_pads(window), "avg", exclusive=False
    )
    counts = [_counts(window, axis, image[axis], counted[axis]) for axis in range(PLANE)]
    places = float(np.prod(window.kernel))
    factors = places / np.multiply.outer(counts[0], counts[1]).astype(np.float64)
    if np.all(factors == 1.0):
        return result
    shape = sizes(result)
    correction = np.broadcast_to(factors.astype(np.float32), shape)
    return paddle.multiply(result, parameter(np.ascontiguousarray(correction)))


def _counts(window: Window, axis: int, size: int, counted: tuple[int, int]) -> Array:
    """How many places of the image, and of ``counted`` ones beside it, each step covers."""
    (before, after), extent = window.pads[axis], window.kernel[axis]
    starts = np.arange(0, before + size + after - extent + 1, window.strides[axis])
    low = np.maximum(starts, before - counted[0])
    high = np.minimum(starts + extent, before + size + counted[1])
    return np.asarray(high - low)


def _of_dilated(source: Variable, window: Window) -> Variable:
    """The largest of the image moved to each place of the window."""
    padded = _padded(source, window.pads, LOWEST) if any(map(any, window.pads)) else source
    shape = sizes(padded)[2:]
    steps = [
        (size - extent) // stride + 1
        for size, extent, stride in zip(shape, window.extents, window.strides, strict=True)
    ]
    moved = []
    for place in itertools.product(*map(range, window.kernel)):
        starts = [at * step for at, step in zip(place, window.dilations, strict=True)]
        ends = [
            start + (count - 1) * stride + 1
            for start, count, stride in zip(starts, steps, window.strides, strict=True)
        ]
        moved.append(paddle.strided_slice(padded, [2, 3], starts, ends, list(window.strides)))
    result = moved[0]
    for other in moved[1:]:
        result = paddle.maximum(result, other)
    return result
