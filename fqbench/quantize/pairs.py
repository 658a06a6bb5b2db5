"""Quantize/dequantize pairs as ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fqbench.graph.graph import Graph
from fqbench.quantize.affine import INT8_MAX, UINT8_LEVELS, as_half, uint8_affine
from fqbench.quantize.algorithms import Range


@dataclass(frozen=True)
class QuantParams:
    """Scale, and zero point whose type is that of the codes."""

    scale: np.float32
    zero_point: np.uint8 | np.int8


@dataclass(frozen=True)
class QdqPlacement:
    """How a tensor is rounded, and the names of the nodes that read it rounded."""

    params: QuantParams
    readers: frozenset[str]


def affine_codes(ends: Range) -> QuantParams:
    """uint8 codes with a zero point."""
    affine = uint8_affine(ends.low, ends.high)
    return QuantParams(np.float32(affine.scale), np.uint8(affine.zero_point))


def symmetric_codes(ends: Range) -> QuantParams:
    """Codes without a zero point: all 255 for the positive where nothing is negative."""
    if ends.low >= 0.0:
        return QuantParams(np.float32(ends.amax / UINT8_LEVELS), np.uint8(0))
    return QuantParams(np.float32(ends.amax / INT8_MAX), np.int8(0))


def int8_codes(ends: Range) -> QuantParams:
    """Signed codes without a zero point, their scale one that float16 holds."""
    return QuantParams(np.float32(as_half(ends.amax / INT8_MAX)), np.int8(0))


def with_pairs(
    model: onnx.ModelProto,
    roundings: Mapping[str, QdqPlacement],
    layers: Container[str],
    weight: Callable[[onnx.GraphProto, onnx.NodeProto], str],
) -> onnx.ModelProto:
    """``model`` with tensors rounded for those nodes that ``roundings`` names, by the tensor.

    Of ``layers`` the weight is what ``weight`` appends to the graph it is given; it returns the
    tensor's name.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    paired: set[str] = set()
    for node in model.graph.node:
        added = onnx.NodeProto()
        added.CopyFrom(node)
        for place, name in enumerate(node.input):
            if name not in roundings or node.name not in roundings[name].readers:
                continue
            if name not in paired:
                paired.add(name)
                add_pair(result.graph, name, f"{name}__rounded", roundings[name].params)
            added.input[place] = f"{name}__rounded"
        if node.name in layers:
            added.input[1] = weight(result.graph, node)
        result.graph.node.append(added)
    return result


def add_pair(graph: onnx.GraphProto, source: str, target: str, params: QuantParams) -> None:
    """Append nodes that round ``source`` to codes and back, into ``target``."""
    names = [f"{target}__scale", f"{target}__zero_point"]
    for name, value in zip(names, (params.scale, params.zero_point), strict=True):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    code = f"{target}__codes"
    graph.node.extend(
        [
            helper.make_node("QuantizeLinear", [source, *names], [code], f"{target}__q"),
            helper.make_node("DequantizeLinear", [code, *names], [target], f"{target}__dq"),
        ]
    )


def add_constant(graph: onnx.GraphProto, name: str, value: NDArray[np.float32]) -> None:
    """Append a float32 constant."""
    stored = np.ascontiguousarray(value, dtype=np.float32)
    graph.initializer.append(numpy_helper.from_array(stored, name))


def drop_unread(graph: onnx.GraphProto) -> None:
    """Drop the constants that no node reads."""
    read = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def reads_integers(graph: Graph, layer: onnx.NodeProto) -> bool:
    """Whether what ``layer`` multiplies comes out of pairs, as input and weight of INT8 do."""
    return all(
        name in graph.producer and graph.producer[name].op_type == "DequantizeLinear"
        for name in layer.input[:2]
    )
