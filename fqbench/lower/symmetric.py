"""Quantize pairs with symmetric codes, as runtimes have them that know no zero point.

The result is an ONNX graph for any runtime: pairs stand before convolutions only, weights lie on
their int8 grid, biases and results stay float.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.lower.pairs import add_constant, add_pair, symmetric_codes
from fqbench.lower.sharing import rounded_inputs, shared_ranges
from fqbench.quantize import affine
from fqbench.quantize.bias import corrected
from fqbench.quantize.graph import Graph
from fqbench.quantize.record import Quantization


def symmetric(model: onnx.ModelProto, quantization: Quantization) -> onnx.ModelProto:
    """Return ``model`` with pairs before each convolution that Paddle runs in INT8."""
    graph = Graph(model)
    quantized = rounded_inputs(graph, graph.convolutions(), quantization)
    ranges = shared_ranges(graph, quantization.ranges, set(quantized.values()))
    biased = corrected(model, quantization.corrections_of(quantized))
    graph = Graph(biased)
    result = onnx.ModelProto()
    result.CopyFrom(biased)
    del result.graph.node[:]
    paired: set[str] = set()
    for node in biased.graph.node:
        added = onnx.NodeProto()
        added.CopyFrom(node)
        if node.name in quantized:
            source = quantized[node.name]
            if source not in paired:
                paired.add(source)
                codes = symmetric_codes(ranges[source])
                add_pair(result.graph, source, f"{source}__rounded", codes)
            add_constant(
                result.graph, f"{node.name}__rounded", rounded_weight(graph, node, quantization)
            )
            added.input[:2] = [f"{source}__rounded", f"{node.name}__rounded"]
        result.graph.node.append(added)
    return result


def rounded_weight(
    graph: Graph, node: onnx.NodeProto, quantization: Quantization
) -> NDArray[np.float32]:
    """The weight of a layer rounded to int8 and back, in the layout of its node."""
    weight = graph.weight(node)
    rounded = affine.rounded_weight(weight, quantization.weight_amax[node.input[1]])
    stored = tuple(graph.weights[node.input[1]].dims)
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return rounded if node.op_type == "Conv" or transposed else rounded.T.reshape(stored)
