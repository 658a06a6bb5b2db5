"""Values of an axis made one: sums, largest ones, their places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle

from fqbench.convert.operators.operator import Operator, Variable, converts, emit

Reduce = Callable[[Variable, "list[int]", bool], Variable]


def _log_sum(x: Variable, axes: list[int], keep: bool) -> Variable:
    return paddle.log(paddle.sum(x, axes, keepdim=keep))


def _sum_of_magnitudes(x: Variable, axes: list[int], keep: bool) -> Variable:
    return paddle.sum(paddle.abs(x), axes, keepdim=keep)


def _sum_of_squares(x: Variable, axes: list[int], keep: bool) -> Variable:
    return paddle.sum(paddle.multiply(x, x), axes, keepdim=keep)


def _norm(x: Variable, axes: list[int], keep: bool) -> Variable:
    return paddle.sqrt(_sum_of_squares(x, axes, keep))


def _plain(function: Any) -> Reduce:
    return lambda x, axes, keep: function(x, axes, keepdim=keep)


REDUCTIONS: dict[str, Reduce] = {
    "ReduceL1": _sum_of_magnitudes,
    "ReduceL2": _norm,
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": _plain(paddle.logsumexp),
    "ReduceMax": _plain(paddle.max),
    "ReduceMean": _plain(paddle.mean),
    "ReduceMin": _plain(paddle.min),
    "ReduceProd": _plain(paddle.prod),
    "ReduceSum": _plain(paddle.sum),
    "ReduceSumSquare": _sum_of_squares,
}


@converts(*REDUCTIONS)
def reduction(op: Operator) -> Variable:
    """Over axes that are an attribute or, in later opsets, an input; over all where none is."""
    rank = len(op.shape(0))
    axes = op.numbers(1, "its axes") if op.has(1) else list(op.attribute("axes", []))
    x = op.variable(0)
    if not axes and op.attribute("noop_with_empty_axes", 0):
        return x
    counted = sorted(axis % rank for axis in axes) if axes else list(range(rank))
    if not counted:
        return x
    return REDUCTIONS[op.kind](x, counted, bool(op.attribute("keepdims", 1)))


@converts("ArgMax", "ArgMin")
def place(op: Operator) -> Variable:
    """The place of the largest or smallest value, the first or the last such."""
    axis = op.attribute("axis", 0)
    keep, last = bool(op.attribute("keepdims", 1)), bool(op.attribute("select_last_index", 0))
    function = paddle.argmax if op.kind == "ArgMax" else paddle.argmin
    if not last:
        return function(op.variable(0), axis=axis, keepdim=keep)
    found = function(paddle.flip(op.variable(0), [axis]), axis=axis, keepdim=keep)
    end = paddle.full([1], op.shape(0)[axis] - 1, found.dtype)
    return paddle.subtract(end, found)


@converts("TopK")
def top(op: Operator) -> list[Variable]:
    """The largest or smallest values of an axis, and their places."""
    (count,) = op.numbers(1, "the number of values")
    values, places = paddle.topk(
        op.variable(0),
        count,
        axis=op.attribute("axis", -1),
        largest=bool(op.attribute("largest", 1)),
        sorted=True,
    )
    return [values, places]


@converts("CumSum")
def running_sum(op: Operator) -> Variable:
    """Sums up to each place, of either direction, with or without that place."""
    (axis,) = op.numbers(1, "its axis")
    attrs = {
        "axis": axis % len(op.shape(0)),
        "exclusive": bool(op.attribute("exclusive", 0)),
        "reverse": bool(op.attribute("reverse", 0)),
        "flatten": False,
    }
    return emit("cumsum", {"X": op.variable(0)}, attrs)


@converts("GlobalLpPool")
def global_norm(op: Operator) -> Variable:
    """The norm over all spatial axes."""
    axes, power = list(range(2, len(op.shape(0)))), float(op.attribute("p", 2))
    powers = paddle.pow(paddle.abs(op.variable(0)), power)
    return paddle.pow(paddle.sum(powers, axes, keepdim=True), 1.0 / power)
