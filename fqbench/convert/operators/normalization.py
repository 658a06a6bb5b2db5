"""Normalizations by mean and deviation."""

from __future__ import annotations

import math

import numpy as np
import paddle
from paddle.nn import functional

from fqbench.convert.operators.operator import (
    Operator,
    Variable,
    converts,
    parameter,
)
from fqbench.convert.operators.padding import padded

BY_CHANNEL = 21
"""The opset from which GroupNormalization has one scale for each channel, not for each group."""

LARGEST_EPSILON = 1e-3
"""Paddle's operators take no larger one."""


@converts("BatchNormalization")
def batch(op: Operator) -> Variable:
    """With the mean and deviation that training found."""
    op.refuse_others("its mean")
    scale, bias, mean, variance = (
        op.constant(i, "its scale, bias, mean and variance") for i in range(1, 5)
    )
    epsilon = op.attribute("epsilon", 1e-5)
    used = min(epsilon, LARGEST_EPSILON)
    return functional.batch_norm(
        op.variable(0),
        parameter(mean),
        parameter((variance + np.float32(epsilon - used)).astype(variance.dtype)),
        weight=parameter(scale),
        bias=parameter(bias),
        training=False,
        epsilon=used,
    )


@converts("InstanceNormalization")
def instance(op: Operator) -> Variable:
    """Of each channel of each image."""
    return functional.instance_norm(
        op.variable(0),
        weight=op.variable(1),
        bias=op.variable(2),
        eps=op.attribute("epsilon", 1e-5),
    )


@converts("LayerNormalization")
def layer(op: Operator) -> Variable:
    """Over the last axes."""
    op.refuse_others("its mean")
    shape, epsilon = op.shape(0), op.attribute("epsilon", 1e-5)
    axis = op.attribute("axis", -1) % len(shape)
    given = [index for index in (1, 2) if op.has(index)]
    computed = any(op.known(index) is None for index in given)
    if axis == 0 or epsilon > LARGEST_EPSILON or computed:
        result = _normalized(op.variable(0), list(range(axis, len(shape))), epsilon)
        result = paddle.multiply(result, op.variable(1))
        return paddle.add(result, op.variable(2)) if op.has(2) else result
    scale, bias = (_flat(op, index, shape[axis:]) for index in (1, 2))
    return functional.layer_norm(op.variable(0), list(shape[axis:]), scale, bias, epsilon=epsilon)


def _normalized(x: Variable, axes: list[int], epsilon: float) -> Variable:
    """``x`` with mean zero and deviation one over ``axes``."""
    centred = paddle.subtract(x, paddle.mean(x, axes, keepdim=True))
    variance = paddle.mean(paddle.multiply(centred, centred), axes, keepdim=True)
    return paddle.divide(centred, paddle.sqrt(paddle.scale(variance, 1.0, epsilon)))


def _flat(op: Operator, index: int, normalized: tuple[int, ...]) -> Variable:
    """A scale or shift as Paddle takes it: one value for each that is normalized together.

    Zeros where there is no shift: without one, oneDNN's kernel scales wrongly.
    """
    value = op.constant(index, "its scale and bias") if op.has(index) else np.float32(0)
    return parameter(np.ascontiguousarray(np.broadcast_to(value, normalized)).reshape(-1))


@converts("GroupNormalization")
def group(op: Operator) -> Variable:
    """Of groups of channels."""
    channels, groups = op.shape(0)[1], op.attribute("num_groups", 1)
    repeats = 1 if op.opset >= BY_CHANNEL else channels // groups
    weight, bias = (
        parameter(np.repeat(op.constant(i, "its scale and bias"), repeats)) for i in (1, 2)
    )
    return functional.group_norm(
        op.variable(0), groups, epsilon=op.attribute("epsilon", 1e-5), weight=weight, bias=bias
    )


@converts("RMSNormalization")
def root_mean_square(op: Operator) -> Variable:
    """By the root mean square over the last axes, of opset 23."""
    shape = op.shape(0)
    axes = list(range(op.attribute("axis", -1) % len(shape), len(shape)))
    x = op.variable(0)
    square = paddle.mean(paddle.multiply(x, x), axes, keepdim=True)
    root = paddle.sqrt(paddle.scale(square, 1.0, op.attribute("epsilon", 1e-5)))
    return paddle.multiply(paddle.divide(x, root), op.variable(1))


@converts("MeanVarianceNormalization")
def mean_variance(op: Operator) -> Variable:
    """To mean zero and deviation one, over given axes."""
    axes = [axis % len(op.shape(0)) for axis in op.attribute("axes", [0, 2, 3])]
    x = op.variable(0)
    centred = paddle.subtract(x, paddle.mean(x, axes, keepdim=True))
    square = paddle.mean(paddle.multiply(centred, centred), axes, keepdim=True)
    return paddle.divide(centred, paddle.scale(paddle.sqrt(square), 1.0, 1e-9))


@converts("LpNormalization")
def unit_length(op: Operator) -> Variable:
    """To length one along an axis."""
    x, axis = op.variable(0), op.attribute("axis", -1)
    if op.attribute("p", 2) == 1:
        length = paddle.sum(paddle.abs(x), axis, keepdim=True)
    else:
        length = paddle.sqrt(paddle.sum(paddle.multiply(x, x), axis, keepdim=True))
    return paddle.divide(x, length)


@converts("LRN")
def local_response(op: Operator) -> Variable:
    """By the squares of neighbouring channels."""
    size = op.attribute("size", 1)
    shape, x = op.shape(0), op.variable(0)
    n, channels, places = shape[0], shape[1], math.prod(shape[2:])
    squares = paddle.reshape(paddle.multiply(x, x), [n, 1, channels, places])
    before, after = (size - 1) // 2, size // 2
    around = padded(squares, {2: (before, after)}, 0.0)
    mean = functional.avg_pool2d(around, [size, 1], stride=1, exclusive=False)
    summed = paddle.scale(mean, op.attribute("alpha", 1e-4), op.attribute("bias", 1.0))
    divisor = paddle.pow(paddle.reshape(summed, list(shape)), op.attribute("beta", 0.75))
    return paddle.divide(x, divisor)
