"""Convolutions and products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
from paddle.nn import functional

from fqbench.convert.operators.operator import (
    Operator,
    Unsupported,
    Variable,
    converts,
    emit,
    in_blocks,
    numbered,
    parameter,
    plain,
    sizes,
)
from fqbench.convert.operators.padding import padded
from fqbench.convert.operators.window import Window, window_of

CHANNEL_AXIS = 1
PLANE = 2
"""Spatial axes of an image."""


def _weight(op: Operator, name: str, *, plane: bool = False) -> Variable:
    """A weight, a parameter of its own even where layers share it: lowering changes it in place.

    ``plane``: of a convolution along one axis, as one over an image of one row.
    """
    value = op.constant(1, "its weight")
    return parameter(np.expand_dims(value, 2) if plane else value, f"{name}.w_0")


def _biased(op: Operator, result: Variable, name: str) -> Variable:
    """``result`` plus a bias along its channels, in the form that oneDNN folds."""
    if not op.has(2):
        return result
    known = op.known(2)
    bias = op.variable(2) if known is None else parameter(known, f"{name}.b_0")
    return emit("elementwise_add", {"X": result, "Y": bias}, {"axis": CHANNEL_AXIS})


def _in_plane(window: Window) -> Window:
    """A window along one axis, as one over an image of one row."""
    return Window(
        (1, *window.kernel), (1, *window.strides), (1, *window.dilations), ((0, 0), *window.pads)
    )


@converts("Conv")
def convolution(op: Operator) -> Variable:
    """Over one, two or three axes; depthwise ones are Paddle's own operator.

    Of a computed weight, oneDNN's kernels would keep what it was for the first image.
    """
    image, kernel = op.shape(0)[2:], op.shape(1)[2:]
    if not 1 <= len(image) <= 3:
        raise Unsupported(f"Paddle has none over {len(image)} axes")
    window, line = window_of(op, kernel, image), len(image) == 1
    name, source = numbered("conv2d"), op.variable(0)
    if line:
        window, source = _in_plane(window), paddle.unsqueeze(source, 2)
    function = functional.conv3d if len(image) > PLANE else functional.conv2d
    result = function(
        source,
        _weight(op, name, plane=line),
        stride=list(window.strides),
        padding=window.flat_pads,
        dilation=list(window.dilations),
        groups=op.attribute("group", 1),
    )
    result = _biased(op, result, name)
    return paddle.squeeze(result, 2) if line else result


@converts("ConvTranspose")
def transposed_convolution(op: Operator) -> Variable:
    """Where pads are uneven, the whole result is computed, and what is padded cut off."""
    image, kernel = op.shape(0)[2:], op.shape(1)[2:]
    if not 1 <= len(image) <= 3:
        raise Unsupported(f"Paddle has none over {len(image)} axes")
    line = len(image) == 1
    window, added = _transposed_window(op, kernel, image)
    name, source = numbered("conv2d_transpose"), op.variable(0)
    if line:
        window, added = _in_plane(window), (0, *added)
        source = paddle.unsqueeze(source, 2)
    direct = window.symmetric and all(a < s for a, s in zip(added, window.strides, strict=True))
    function = functional.conv3d_transpose if len(image) > PLANE else functional.conv2d_transpose
    result = function(
        source,
        _weight(op, name, plane=line),
        stride=list(window.strides),
        padding=[before for before, _ in window.pads] if direct else 0,
        output_padding=list(added) if direct and any(added) else 0,
        dilation=list(window.dilations),
        groups=op.attribute("group", 1),
    )
    if not direct:
        result = _cut(result, window, added)
    result = _biased(op, result, name)
    return paddle.squeeze(result, 2) if line else result


def _transposed_window(
    op: Operator, kernel: tuple[int, ...], image: tuple[int, ...]
) -> tuple[Window, tuple[int, ...]]:
    """The window, and what is added at the ends of the result; see ONNX's ``output_shape``."""
    window = window_of(op, kernel, image)
    added = tuple(op.attribute("output_padding", [0] * len(kernel)))
    wanted = op.attribute("output_shape", None)
    auto = op.attribute("auto_pad", "NOTSET")
    if wanted is None and not auto.startswith("SAME"):
        return window, added
    if wanted is None:
        wanted = [size * stride for size, stride in zip(image, window.strides, strict=True)]
    pads, ends = [], []
    rows = zip(image, window.strides, window.extents, added, wanted, strict=True)
    for size, stride, extent, end, target in rows:
        whole = stride * (size - 1) + end + extent - target
        ends.append(end - min(whole, 0))
        less, more = max(whole, 0) // 2, max(whole, 0) - max(whole, 0) // 2
        # ONNX's text and its reference put the larger part at different ends for NOTSET; ONNX
        # Runtime follows this.
        pads.append((less, more) if auto == "SAME_UPPER" else (more, less))
    return Window(window.kernel, window.strides, window.dilations, tuple(pads)), tuple(ends)


def _cut(whole: Variable, window: Window, added: tuple[int, ...]) -> Variable:
    """The part of an unpadded result that padding leaves; zeros are added at its ends."""
    shape = sizes(whole)[2:]
    axes = list(range(2, 2 + len(shape)))
    starts = [before for before, _ in window.pads]
    ends = [
        size - after + end for size, (_, after), end in zip(shape, window.pads, added, strict=True)
    ]
    beyond = {
        axis: (0, max(end - size, 0)) for axis, end, size in zip(axes, ends, shape, strict=True)
    }
    whole = padded(whole, beyond, 0.0)
    return paddle.slice(whole, axes, starts, ends)


@converts("Gemm")
def gemm(op: Operator) -> Variable:
    """As a product of matrices and a sum, which Paddle makes a fully connected layer of."""
    name = numbered("linear")
    result = paddle.matmul(
        op.variable(0),
        op.variable(1) if op.known(1) is None else _weight(op, name),
        transpose_x=bool(op.attribute("transA", 0)),
        transpose_y=bool(op.attribute("transB", 0)),
    )
    alpha, beta = op.attribute("alpha", 1.0), op.attribute("beta", 1.0)
    if alpha != 1.0:
        result = paddle.scale(result, alpha)
    if not op.has(2) or beta == 0.0:
        return result
    known = op.known(2)
    if known is None:
        bias = op.variable(2) if beta == 1.0 else paddle.scale(op.variable(2), beta)
    else:
        known = known if known.ndim else known.reshape(1)
        bias = parameter((known * known.dtype.type(beta)).astype(known.dtype), f"{name}.b_0")
    return paddle.add(result, bias)


@converts("MatMul")
def product(op: Operator) -> Variable:
    """Of matrices in their last two axes."""
    left = _in_rows(op, 0)
    if op.known(1) is None:
        return paddle.matmul(left, _in_rows(op, 1))
    return paddle.matmul(left, _weight(op, numbered("linear")))


def _in_rows(op: Operator, index: int) -> Variable:
    """A factor that is stored row by row.

    Paddle 2.6.2's product by oneDNN takes what it reads to be stored so. Convolutions write
    channels in blocks, and what computes value by value passes these on.
    """
    blocked = op.known(index) is None and in_blocks(op.graph, op.node.input[index])
    return plain(op.variable(index)) if blocked else op.variable(index)


@converts("Einsum")
def einsum(op: Operator) -> Variable:
    """A sum of products over named axes."""
    operands = [_in_rows(op, index) for index in range(op.count())]
    return paddle.einsum(op.attribute("equation", "").replace(" ", ""), *operands)


@converts("DeformConv")
def deformable_convolution(op: Operator) -> Variable:
    """A convolution whose window's places are moved by what is computed."""
    window = window_of(op, op.shape(1)[2:], op.shape(0)[2:])
    if not window.symmetric:
        raise Unsupported("Paddle pads both sides alike")
    known: Any = op.known(3) if op.has(3) else None
    bias = known if known is None or known.any() else None
    return paddle.vision.ops.deform_conv2d(
        op.variable(0),
        op.variable(2),
        op.variable(1),
        bias=op.variable(3) if op.has(3) and (known is None or bias is not None) else None,
        stride=list(window.strides),
        padding=[before for before, _ in window.pads],
        dilation=list(window.dilations),
        deformable_groups=op.attribute("offset_group", 1),
        groups=op.attribute("group", 1),
        mask=op.variable(4) if op.has(4) else None,
    )
