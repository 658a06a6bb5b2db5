"""Quantize/dequantize pairs as ONNX nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fqbench.quantize.affine import INT8_MAX, UINT8_LEVELS, uint8_affine
from fqbench.quantize.algorithms import Range


@dataclass(frozen=True)
class Codes:
    """Scale, and zero point whose type is that of the codes."""

    scale: np.float32
    zero_point: np.uint8 | np.int8


def affine_codes(ends: Range) -> Codes:
    """uint8 codes with a zero point."""
    affine = uint8_affine(ends.low, ends.high)
    return Codes(np.float32(affine.scale), np.uint8(affine.zero_point))


def symmetric_codes(ends: Range) -> Codes:
    """Codes without a zero point: all 255 for the positive where nothing is negative."""
    if ends.low >= 0.0:
        return Codes(np.float32(ends.amax / UINT8_LEVELS), np.uint8(0))
    return Codes(np.float32(ends.amax / INT8_MAX), np.int8(0))


def add_pair(graph: onnx.GraphProto, source: str, target: str, codes: Codes) -> None:
    """Append nodes that round ``source`` to ``codes`` and back, into ``target``."""
    names = [f"{target}__scale", f"{target}__zero_point"]
    for name, value in zip(names, (codes.scale, codes.zero_point), strict=True):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    code = f"{target}__codes"
    graph.node.append(helper.make_node("QuantizeLinear", [source, *names], [code]))
    graph.node.append(helper.make_node("DequantizeLinear", [code, *names], [target]))


def add_constant(graph: onnx.GraphProto, name: str, value: NDArray[np.float32]) -> None:
    """Append a float32 constant."""
    stored = np.ascontiguousarray(value, dtype=np.float32)
    graph.initializer.append(numpy_helper.from_array(stored, name))
