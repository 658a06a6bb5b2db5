"""Values chosen, and put, by index."""

from __future__ import annotations

import numpy as np
import paddle
from paddle.nn import functional

from fqbench.convert.operators.operator import (
    Operator,
    Unsupported,
    Variable,
    converts,
    parameter,
)


def _from_the_first(op: Operator, index: int, size: int) -> Variable:
    """Indices, of which negative ones count from the end, as ones that do not."""
    known = op.known(index)
    if known is not None:
        return parameter(np.where(known < 0, known + size, known))
    x = op.variable(index)
    zero, end = (paddle.full([1], value, x.dtype) for value in (0, size))
    before = paddle.cast(paddle.less_than(x, zero), x.dtype)
    return paddle.add(x, paddle.multiply(before, end))


@converts("Gather")
def gather(op: Operator) -> Variable:
    """Places of an axis; the axes of the indices take its place."""
    shape, chosen = op.shape(0), op.shape(1)
    axis = op.attribute("axis", 0) % len(shape)
    known = op.known(1)
    if known is not None and known.size == 1:
        start = int(known.reshape(())) % shape[axis]
        part = paddle.slice(op.variable(0), [axis], [start], [start + 1])
    else:
        indices = _from_the_first(op, 1, shape[axis])
        flat = indices if len(chosen) == 1 else paddle.reshape(indices, [-1])
        part = paddle.gather(op.variable(0), flat, axis=axis)
    if len(chosen) == 1:
        return part
    return paddle.reshape(part, [*shape[:axis], *chosen, *shape[axis + 1 :]])


@converts("GatherElements")
def gather_elements(op: Operator) -> Variable:
    """For each place of the indices, a value of the same place but along one axis."""
    axis = op.attribute("axis", 0) % len(op.shape(0))
    indices = _from_the_first(op, 1, op.shape(0)[axis])
    return paddle.take_along_axis(op.variable(0), indices, axis, broadcast=False)


@converts("GatherND")
def gather_nd(op: Operator) -> Variable:
    """Parts by indices of several axes."""
    if op.attribute("batch_dims", 0):
        raise Unsupported("Paddle has none by batch")
    return paddle.gather_nd(op.variable(0), _nd(op))


def _nd(op: Operator) -> Variable:
    """Indices of several axes, none negative."""
    shape, known = op.shape(0), op.known(1)
    if known is not None:
        ends = np.array(shape[: known.shape[-1]], known.dtype)
        return parameter(np.where(known < 0, known + ends, known))
    x = op.variable(1)
    ends = parameter(np.array(shape[: op.shape(1)[-1]], np.int64))
    before = paddle.cast(paddle.less_than(x, paddle.full([1], 0, x.dtype)), x.dtype)
    return paddle.add(x, paddle.multiply(before, paddle.cast(ends, x.dtype)))


@converts("ScatterElements")
def scatter_elements(op: Operator) -> Variable:
    """Values put along one axis, or added or multiplied there."""
    how = {"none": "assign", "add": "add", "mul": "mul"}
    reduction = op.attribute("reduction", "none")
    if reduction not in how:
        raise Unsupported(f"reduction {reduction} has no form in Paddle")
    axis = op.attribute("axis", 0) % len(op.shape(0))
    indices = _from_the_first(op, 1, op.shape(0)[axis])
    return paddle.put_along_axis(
        op.variable(0), indices, op.variable(2), axis, reduce=how[reduction], broadcast=False
    )


@converts("ScatterND")
def scatter_nd(op: Operator) -> Variable:
    """Parts put by indices of several axes: rows of the tensor with these axes as one."""
    reduction = op.attribute("reduction", "none")
    if reduction not in ("none", "add"):
        raise Unsupported(f"reduction {reduction} has no form in Paddle")
    x, shape, depth = op.variable(0), op.shape(0), op.shape(1)[-1]
    if reduction == "add":
        return paddle.scatter_nd_add(x, _nd(op), op.variable(2))
    steps = np.cumprod([1, *shape[1:depth][::-1]])[::-1].astype(np.int64).copy()
    indices = paddle.cast(_nd(op), "int64")
    rows = paddle.sum(paddle.multiply(indices, parameter(steps)), -1)
    inner = list(shape[depth:])
    flat = paddle.reshape(x, [-1, *inner] if inner else [-1, 1])
    updates = paddle.reshape(op.variable(2), [-1, *inner] if inner else [-1, 1])
    put = paddle.scatter(flat, paddle.reshape(rows, [-1]), updates, overwrite=True)
    return paddle.reshape(put, list(shape))


@converts("OneHot")
def one_hot(op: Operator) -> Variable:
    """One of two values along a new axis."""
    depth = op.numbers(1, "its depth")[0]
    off, on = (float(value) for value in op.constant(2, "its values").reshape(-1))
    rank = len(op.shape(0))
    axis = op.attribute("axis", -1) % (rank + 1)
    indices = paddle.cast(_from_the_first(op, 0, depth), "int64")
    marked = functional.one_hot(indices, depth)
    order = [*range(axis), rank, *range(axis, rank)]
    result = paddle.scale(paddle.transpose(marked, order), on - off, off)
    wanted = str(op.constant(2, "its values").dtype)
    return result if wanted == "float32" else paddle.cast(result, wanted)
