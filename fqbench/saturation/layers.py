"""The layers of an ONNX file that multiply uint8 activations by constant int8 weights.

The file holds quantize/dequantize pairs, or the operators that ONNX Runtime makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from fqbench.graph.graph import attributes
from fqbench.saturation.pairs import Codes, Weights, may_saturate

MAX_POSITIONS = 1024
"""Positions of one result that are sampled: of a larger one, evenly spaced ones."""

Constants = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class IntegerLayer:
    """A layer as an integer kernel reads it.

    ``codes``: the tensor of uint8 codes that it reads, of ``zero_point``; ``convolves``: whether it
    reads windows of an image, else rows. ``weight`` [groups,
    outputs, columns], columns in the kernel's order: rows and columns of the window, then channels.
    """

    name: str
    codes: str
    zero_point: int
    weight: Weights
    convolves: bool
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def depthwise(self) -> bool:
        """Whether each channel is read by itself: such kernels multiply in more than 16 bits."""
        groups, _, columns = self.weight.shape
        return groups > 1 and columns == self.kernel[0] * self.kernel[1]

    @property
    def may_saturate(self) -> bool:
        """Whether some activations saturate a sum of two products."""
        return not self.depthwise and any(may_saturate(group).any() for group in self.weight)

    def read(self, codes: Codes) -> Codes:
        """What one image multiplies at positions of the result [groups, positions, columns]."""
        if not self.convolves:
            return codes.reshape(1, -1, codes.shape[-1])
        top, left, bottom, right = self.pads
        padded = np.pad(
            codes[0], ((0, 0), (top, bottom), (left, right)), constant_values=self.zero_point
        )
        reach = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]
        view: Any = np.lib.stride_tricks.sliding_window_view
        windows = view(padded, tuple(reach), axis=(1, 2))
        windows = windows[:, :: self.strides[0], :: self.strides[1]]
        windows = windows[..., :: self.dilations[0], :: self.dilations[1]]
        channels, height, width = windows.shape[:3]
        positions = np.arange(0, height * width, max(height * width // MAX_POSITIONS, 1))
        chosen = windows[:, positions // width, positions % width]
        groups = len(self.weight)
        grouped = chosen.reshape(groups, channels // groups, len(positions), -1)
        return np.ascontiguousarray(grouped.transpose(0, 2, 3, 1)).reshape(
            groups, len(positions), -1
        )


def integer_layers(model: onnx.ModelProto) -> list[IntegerLayer]:
    """The layers of ``model`` that multiply uint8 by int8, in the graph's order."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    producer = {name: node for node in model.graph.node for name in node.output}
    return [layer for node in model.graph.node for layer in _layer(node, constants, producer)]


def _layer(
    node: onnx.NodeProto, constants: Constants, producer: dict[str, onnx.NodeProto]
) -> Iterator[IntegerLayer]:
    if node.op_type in ("QLinearConv", "QLinearMatMul", "QGemm"):
        source, zero, weight = node.input[0], node.input[2], node.input[3]
    elif node.op_type in ("Conv", "Gemm", "MatMul"):
        read, held = (producer.get(name) for name in node.input[:2])
        if read is None or held is None:
            return
        if not read.op_type == held.op_type == "DequantizeLinear":
            return
        source, weight = read.input[0], held.input[0]
        zero = read.input[2] if len(read.input) > 2 else ""
    else:
        return
    zero_point = constants.get(zero) if zero else np.uint8(0)  # ONNX's own default
    if weight not in constants or constants[weight].dtype != np.int8:
        return
    if zero_point is None or zero_point.dtype != np.uint8 or zero_point.size != 1:
        return
    found, codes = attributes(node), constants[weight]
    convolves = node.op_type in ("Conv", "QLinearConv")
    if convolves:
        if codes.ndim != 4 or found.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            return
        groups = found.get("group", 1)
        ordered = codes.reshape(groups, -1, *codes.shape[1:]).transpose(0, 1, 3, 4, 2)
    elif codes.ndim == 2:
        transposed = node.op_type in ("Gemm", "QGemm") and found.get("transB", 0)
        groups, ordered = 1, (codes if transposed else codes.T)[None]
    else:
        return
    matrix = np.ascontiguousarray(ordered).reshape(groups, ordered.shape[1], -1)
    name = node.name or node.output[0]
    layer = IntegerLayer(name, source, int(zero_point), matrix, convolves)
    if convolves:
        layer = replace(
            layer,
            kernel=(codes.shape[2], codes.shape[3]),
            strides=tuple(found.get("strides", layer.strides)),
            dilations=tuple(found.get("dilations", layer.dilations)),
            pads=tuple(found.get("pads", layer.pads)),
        )
    yield layer
