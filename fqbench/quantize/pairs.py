"""Quantize/dequantize pairs as ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from fqbench.graph.graph import Graph, add_constant
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
    result = deepcopy(model)
    del result.graph.node[:]
    paired: set[str] = set()
    for node in model.graph.node:
        added = deepcopy(node)
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
    names = [
        add_constant(graph, f"{target}__scale", params.scale),
        add_constant(graph, f"{target}__zero_point", params.zero_point),
    ]
    code = f"{target}__codes"
    graph.node.extend(
        [
            helper.make_node("QuantizeLinear", [source, *names], [code], f"{target}__q"),
            helper.make_node("DequantizeLinear", [code, *names], [target], f"{target}__dq"),
        ]
    )


def reads_integers(graph: Graph, layer: onnx.NodeProto) -> bool:
    """Whether what ``layer`` multiplies comes out of pairs, as input and weight of INT8 do."""
    return all(
        name in graph.producer and graph.producer[name].op_type == "DequantizeLinear"
        for name in layer.input[:2]
    )
