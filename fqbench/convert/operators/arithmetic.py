"""Arithmetic, comparisons and logic, value by value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import onnx
import paddle
from paddle.nn import functional

from fqbench.convert.broadcasting import repeats_within
from fqbench.convert.operators.operator import (
    Array,
    Operator,
    Unsupported,
    Variable,
    converts,
    emit,
    parameter,
)
from fqbench.graph.graph import attributes

BINARY = {
    "Add": paddle.add,
    "And": paddle.logical_and,
    "BitwiseAnd": paddle.bitwise_and,
    "BitwiseOr": paddle.bitwise_or,
    "BitwiseXor": paddle.bitwise_xor,
    "Div": paddle.divide,
    "Equal": paddle.equal,
    "Greater": paddle.greater_than,
    "GreaterOrEqual": paddle.greater_equal,
    "Less": paddle.less_than,
    "LessOrEqual": paddle.less_equal,
    "Mul": paddle.multiply,
    "Or": paddle.logical_or,
    "Sub": paddle.subtract,
    "Xor": paddle.logical_xor,
}
COMMUTATIVE = {"Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Equal", "Mul", "Or", "Xor"}
UNARY = {
    "Abs": paddle.abs,
    "Acos": paddle.acos,
    "Acosh": paddle.acosh,
    "Asin": paddle.asin,
    "Asinh": paddle.asinh,
    "Atan": paddle.atan,
    "Atanh": paddle.atanh,
    "BitwiseNot": paddle.bitwise_not,
    "Ceil": paddle.ceil,
    "Cos": paddle.cos,
    "Cosh": paddle.cosh,
    "Erf": paddle.erf,
    "Exp": paddle.exp,
    "Floor": paddle.floor,
    "IsNaN": paddle.isnan,
    "Log": paddle.log,
    "Not": paddle.logical_not,
    "Reciprocal": paddle.reciprocal,
    "Sigmoid": functional.sigmoid,
    "Sign": paddle.sign,
    "Sin": paddle.sin,
    "Sinh": paddle.sinh,
    "Sqrt": paddle.sqrt,
    "Tan": paddle.tan,
    "Tanh": paddle.tanh,
}
HARD_SWISH = {"alpha": 1 / 6, "beta": 0.5}


@converts(*UNARY)
def unary(op: Operator) -> Variable:
    """One operator of Paddle's."""
    return UNARY[op.kind](op.variable(0))


@converts("Neg")
def negative(op: Operator) -> Variable:
    """With the other sign."""
    return paddle.scale(op.variable(0), -1.0)


@converts("Round")
def rounded(op: Operator) -> Variable:
    """To the nearest integer, halves to the even one; Paddle's rounds them away from zero."""
    x = op.variable(0)
    halves = paddle.equal(
        paddle.abs(paddle.subtract(x, paddle.trunc(x))), paddle.full([1], 0.5, x.dtype)
    )
    even = paddle.scale(paddle.round(paddle.scale(x, 0.5)), 2.0)
    return paddle.where(halves, even, paddle.round(x))


@converts(*BINARY)
def binary(op: Operator) -> Variable:
    """One operator of Paddle's; with a constant, in the form that is fast."""
    scaled = _scaled(op) if op.kind in ("Add", "Sub", "Mul", "Div") else None
    if scaled is not None:
        return scaled
    if op.kind == "Mul" and (gated := _gated(op)) is not None:
        return gated
    left, right = _operands(op)
    if op.kind == "Div" and left.dtype in (paddle.int32, paddle.int64):
        return _divided_integers(left, right)
    return BINARY[op.kind](left, right)


def _scaled(op: Operator) -> Variable | None:
    """Arithmetic with one constant number, as its own operator; None where it is none."""
    for index in (1, 0):
        value = op.known(index)
        if value is None or value.size != 1 or value.dtype != np.float32:
            continue
        if op.known(1 - index) is not None or value.ndim > len(op.shape(1 - index)):
            continue
        x, number = op.variable(1 - index), float(value.reshape(()))
        if op.kind == "Mul":
            return paddle.scale(x, number)
        if op.kind == "Add":
            return paddle.scale(x, 1.0, number)
        if op.kind == "Sub":
            return paddle.scale(x, *((1.0, -number) if index == 1 else (-1.0, number)))
        inverse = 1.0 / number if number else np.inf
        if op.kind == "Div" and index == 1 and np.float32(inverse) * np.float32(number) == 1.0:
            return paddle.scale(x, inverse)
    return None


def _gated(op: Operator) -> Variable | None:
    """``x * sigmoid(x)`` and ``x`` times a line, each as the operator that folds."""
    if (gate := op.graph.gate(op.node)) is not None:
        return emit("swish", {"X": op.value(gate.input[0])}, {"beta": 1.0})
    for index in (0, 1):
        made, other = op.producer(index), op.node.input[1 - index]
        if made is not None and _is_hard_swish(made) and made.input[0] == other:
            return functional.hardswish(op.variable(1 - index))
    return None


def _is_hard_swish(gate: onnx.NodeProto) -> bool:
    if gate.op_type != "HardSigmoid":
        return False
    given = {"alpha": 0.2, "beta": 0.5, **attributes(gate)}
    return all(abs(given[name] - value) < 1e-6 for name, value in HARD_SWISH.items())


def _operands(op: Operator) -> tuple[Variable, Variable]:
    """Both inputs, the left one of the result's shape.

    oneDNN's kernels broadcast the right one only. A constant that is repeated within the other
    has the other's shape.
    """
    order = (0, 1)
    shapes = [op.shape(0), op.shape(1)]
    whole = np.broadcast_shapes(*shapes)
    if op.kind in COMMUTATIVE and shapes[0] != whole:
        order = (1, 0)
    left, right = (_at_least_1d(op, index) for index in order)
    if shapes[order[0]] != whole:
        known = op.known(order[0])
        left = paddle.expand(left, list(whole)) if known is None else _repeated(known, whole)
    known = op.known(order[1])
    if known is not None and repeats_within(known.shape, whole):
        right = _repeated(known, whole)
    return left, right


def _repeated(value: Array, shape: Sequence[int]) -> Variable:
    """A parameter of ``shape`` that repeats ``value``."""
    return parameter(np.ascontiguousarray(np.broadcast_to(value, shape)))


def _divided_integers(left: Variable, right: Variable) -> Variable:
    """Towards zero, as ONNX divides integers."""
    quotient = paddle.divide(paddle.cast(left, "float64"), paddle.cast(right, "float64"))
    return paddle.cast(paddle.trunc(quotient), left.dtype)


@converts("Pow")
def power(op: Operator) -> Variable:
    """Of the type of what is raised."""
    known = op.known(1)
    if known is not None and known.size == 1 and known.ndim <= len(op.shape(0)):
        x, exponent = op.variable(0), float(known.reshape(()))
        if exponent == 2.0:
            return paddle.multiply(x, x)
        return paddle.sqrt(x) if exponent == 0.5 else paddle.pow(x, exponent)
    left, right = _operands(op)
    return paddle.pow(left, right if right.dtype == left.dtype else paddle.cast(right, left.dtype))


@converts("Mod")
def modulo(op: Operator) -> Variable:
    """The remainder, with the sign of the divisor, or with ``fmod`` of the dividend."""
    left, right = _operands(op)
    if not op.attribute("fmod", 0):
        return paddle.remainder(left, right)
    rest = paddle.remainder(paddle.abs(left), paddle.abs(right))
    return paddle.multiply(paddle.sign(left), rest)


@converts("Max")
def largest(op: Operator) -> Variable:
    """Of all inputs."""
    return _folded(op, paddle.maximum)


@converts("Min")
def smallest(op: Operator) -> Variable:
    """Of all inputs."""
    return _folded(op, paddle.minimum)


@converts("Sum")
def total(op: Operator) -> Variable:
    """Of all inputs."""
    return _folded(op, paddle.add)


@converts("Mean")
def mean(op: Operator) -> Variable:
    """Of all inputs."""
    return paddle.scale(_folded(op, paddle.add), 1.0 / op.count())


def _folded(op: Operator, function: Callable[[Variable, Variable], Variable]) -> Variable:
    values = [_at_least_1d(op, index) for index in range(op.count())]
    return reduce(function, values)


def _at_least_1d(op: Operator, index: int) -> Variable:
    value: Array | None = op.known(index)
    if value is None:
        return op.variable(index)
    return parameter(value if value.ndim else value.reshape(1))


@converts("IsInf")
def is_infinite(op: Operator) -> Variable:
    """Of either sign, or of one."""
    x = op.variable(0)
    found, zero = paddle.isinf(x), paddle.full([1], 0.0, x.dtype)
    if not op.attribute("detect_negative", 1):
        found = paddle.logical_and(found, paddle.greater_than(x, zero))
    if not op.attribute("detect_positive", 1):
        found = paddle.logical_and(found, paddle.less_than(x, zero))
    return found


@converts("Where")
def where(op: Operator) -> Variable:
    """One value or another, all broadcast to one shape."""
    shapes = [op.shape(index) for index in range(3)]
    whole = np.broadcast_shapes(*shapes)
    parts = [
        part if shape == whole else paddle.expand(part, list(whole))
        for part, shape in zip(map(op.variable, range(3)), shapes, strict=True)
    ]
    return paddle.where(*parts)


@converts("Cast")
def cast(op: Operator) -> Variable:
    """To another type of numbers."""
    wanted = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(op.attribute("to", 1)))
    known = {"bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"}
    if wanted.name not in known:
        raise Unsupported(f"fqbench computes none in {wanted.name} with Paddle")
    return paddle.cast(op.variable(0), wanted.name)


@converts("CastLike")
def cast_like(op: Operator) -> Variable:
    """To the type of another tensor."""
    return paddle.cast(op.variable(0), op.variable(1).dtype)


@converts("Identity", "Dropout")
def unchanged(op: Operator) -> Variable:
    """What it reads."""
    op.refuse_others("its mask")
    return [op.variable(0)] * op.results()
