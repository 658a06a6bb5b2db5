"""Activations."""

from __future__ import annotations

import numpy as np
import paddle
from paddle.nn import functional

from fqbench.convert.operators.operator import (
    Operator,
    Unsupported,
    Variable,
    converts,
    emit,
    parameter,
)

SIX = 6.0
LARGEST = float(np.finfo(np.float32).max)


@converts("Relu")
def relu(op: Operator) -> Variable:
    """The positive part."""
    return functional.relu(op.variable(0))


@converts("LeakyRelu")
def leaky_relu(op: Operator) -> Variable:
    """With a slope below zero; ONNX's default is 0.01."""
    return functional.leaky_relu(op.variable(0), op.attribute("alpha", 0.01))


@converts("PRelu")
def prelu(op: Operator) -> Variable:
    """With slopes that are given: one, one for each channel, or of any shape that broadcasts."""
    x, slope = op.variable(0), op.known(1)
    if slope is not None and slope.size == 1:
        return functional.leaky_relu(x, float(slope.reshape(())))
    shape = op.shape(0)
    if slope is not None and len(shape) > 1 and _by_channel(slope.shape, shape):
        return functional.prelu(x, parameter(slope.reshape(-1)))
    below = paddle.multiply(paddle.minimum(x, _zero(op)), op.variable(1))
    return paddle.add(functional.relu(x), below)


def _by_channel(slope: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    whole = (1,) * (len(shape) - len(slope)) + slope
    return all(size == (shape[1] if axis == 1 else 1) for axis, size in enumerate(whole))


def _zero(op: Operator) -> Variable:
    known = op.variable(0)
    return paddle.full([1], 0.0, known.dtype)


@converts("Elu")
def elu(op: Operator) -> Variable:
    """Exponential below zero."""
    return functional.elu(op.variable(0), op.attribute("alpha", 1.0))


@converts("Celu")
def celu(op: Operator) -> Variable:
    """Exponential below zero, smooth for each alpha."""
    return functional.celu(op.variable(0), op.attribute("alpha", 1.0))


@converts("Selu")
def selu(op: Operator) -> Variable:
    """Exponential below zero, scaled."""
    attrs = {
        "alpha": op.attribute("alpha", 1.6732632423543772),
        "scale": op.attribute("gamma", 1.0507009873554805),
    }
    return emit("selu", {"X": op.variable(0)}, attrs)


@converts("HardSigmoid")
def hard_sigmoid(op: Operator) -> Variable:
    """A line between 0 and 1."""
    return functional.hardsigmoid(
        op.variable(0), op.attribute("alpha", 0.2), op.attribute("beta", 0.5)
    )


@converts("HardSwish")
def hard_swish(op: Operator) -> Variable:
    """``x`` times a line between 0 and 1."""
    return functional.hardswish(op.variable(0))


@converts("Swish")
def swish(op: Operator) -> Variable:
    """``x`` times a sigmoid, of opset 24."""
    alpha = op.attribute("alpha", 1.0)
    return emit("swish", {"X": op.variable(0)}, {"beta": alpha})


@converts("ThresholdedRelu")
def thresholded_relu(op: Operator) -> Variable:
    """``x`` where it is above a threshold, else zero."""
    x = op.variable(0)
    above = paddle.greater_than(x, paddle.full([1], op.attribute("alpha", 1.0), x.dtype))
    return paddle.multiply(x, paddle.cast(above, x.dtype))


@converts("Softplus")
def softplus(op: Operator) -> Variable:
    """The logarithm of one plus the exponential."""
    return functional.softplus(op.variable(0))


@converts("Softsign")
def softsign(op: Operator) -> Variable:
    """``x`` over one plus its magnitude."""
    return functional.softsign(op.variable(0))


@converts("Mish")
def mish(op: Operator) -> Variable:
    """``x`` times the hyperbolic tangent of its softplus."""
    return functional.mish(op.variable(0))


@converts("Gelu")
def gelu(op: Operator) -> Variable:
    """By the error function, or nearly so by a hyperbolic tangent."""
    return functional.gelu(op.variable(0), op.attribute("approximate", "none") == "tanh")


@converts("Shrink")
def shrink(op: Operator) -> Variable:
    """Zero in the middle, moved towards it beyond."""
    x, bias, lambd = op.variable(0), op.attribute("bias", 0.0), op.attribute("lambd", 0.5)
    above = paddle.cast(paddle.greater_than(x, paddle.full([1], lambd, x.dtype)), x.dtype)
    below = paddle.cast(paddle.less_than(x, paddle.full([1], -lambd, x.dtype)), x.dtype)
    return paddle.add(
        paddle.multiply(paddle.scale(x, 1.0, -bias), above),
        paddle.multiply(paddle.scale(x, 1.0, bias), below),
    )


@converts("Clip")
def clip(op: Operator) -> Variable:
    """Between bounds of any shape with one value; those of ReLU6 are an operator that folds."""
    x = op.variable(0)
    if (op.has(1) and op.known(1) is None) or (op.has(2) and op.known(2) is None):
        result = paddle.maximum(x, op.variable(1)) if op.has(1) else x
        return paddle.minimum(result, op.variable(2)) if op.has(2) else result
    low, high = _bound(op, 1), _bound(op, 2)
    if low == 0.0 and high == SIX:
        return emit("relu6", {"X": x}, {"threshold": SIX})
    if low == 0.0 and high is None:
        return functional.relu(x)
    if x.dtype not in (paddle.float32, paddle.float64):
        return paddle.clip(x, low, high)
    attrs = {
        "min": -LARGEST if low is None else max(low, -LARGEST),
        "max": LARGEST if high is None else min(high, LARGEST),
    }
    return emit("clip", {"X": x}, attrs)


def _bound(op: Operator, index: int) -> float | None:
    value = op.known(index)
    if value is None:
        return None
    if value.size != 1:
        raise Unsupported("a bound holds several values")
    return float(value.reshape(()))


@converts("Softmax")
def softmax(op: Operator) -> Variable:
    """Along one axis: canonical graphs are of opset 13 or later."""
    return functional.softmax(op.variable(0), op.attribute("axis", -1))


@converts("LogSoftmax")
def log_softmax(op: Operator) -> Variable:
    """The logarithm of a softmax along one axis."""
    return functional.log_softmax(op.variable(0), op.attribute("axis", -1))


@converts("Hardmax")
def hardmax(op: Operator) -> Variable:
    """One at the first largest value along an axis, else zero."""
    rank, depth = len(op.shape(0)), op.shape(0)[op.attribute("axis", -1)]
    axis = op.attribute("axis", -1) % rank
    chosen = paddle.argmax(op.variable(0), axis=axis)
    marked = functional.one_hot(chosen, depth)
    order = [*range(axis), rank - 1, *range(axis, rank - 1)]
    return paddle.transpose(marked, order)
