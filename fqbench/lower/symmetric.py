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
from fqbench.quantize.adapt import adapted
from fqbench.quantize.graph import Graph
from fqbench.quantize.record import Quantization


def symmetric(model: onnx.ModelProto, quantization: Quantization) -> onnx.ModelProto:
    """Return ``model`` with pairs before each convolution that Paddle runs in INT8."""
    graph = Graph(model)
    quantized = rounded_inputs(graph, graph.convolutions(), quantization)
    ranges = shared_ranges(graph, quantization.ranges, set(quantized.values()))
    source = adapted(model, quantization, quantized)
    graph = Graph(source)
    result = onnx.ModelProto()
    result.CopyFrom(source)
    del result.graph.node[:]
    paired: set[str] = set()
    for node in source.graph.node:
        added = onnx.NodeProto()
        added.CopyFrom(node)
        if node.name in quantized:
            read = quantized[node.name]
            if read not in paired:
                paired.add(read)
                codes = symmetric_codes(ranges[read])
                add_pair(result.graph, read, f"{read}__rounded", codes)
            add_constant(
                result.graph, f"{node.name}__rounded", rounded_weight(graph, node, quantization)
            )
            added.input[:2] = [f"{read}__rounded", f"{node.name}__rounded"]
        result.graph.node.append(added)
    return result


def rounded_weight(
    graph: Graph, node: onnx.NodeProto, quantization: Quantization
) -> NDArray[np.float32]:
    """The weight of a layer rounded to int8 and back, in the layout of its node."""
    amax = quantization.weight_amax[node.input[1]]
    return graph.as_stored(node, affine.rounded_weight(graph.weight(node), amax))
