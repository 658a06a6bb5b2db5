"""Quantize pairs with symmetric codes, as runtimes have them that know no zero point.

The result is an ONNX graph for any runtime: pairs stand before convolutions and fully connected
layers only, weights lie on their int8 grid, biases and results stay float.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.lower.pairs import add_constant, add_pair, symmetric_codes
from fqbench.quantize import affine
from fqbench.quantize.adapt import adapted
from fqbench.quantize.graph import Graph
from fqbench.quantize.record import Quantization


def symmetric(
    model: onnx.ModelProto, quantization: Quantization, float_layers: Container[str]
) -> onnx.ModelProto:
    """Return ``model`` with pairs before each layer that is not one of ``float_layers``."""
    quantized = {
        node.name
        for node in Graph(model).layers()
        if node.name not in float_layers and node.input[0] in quantization.ranges
    }
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
            read = node.input[0]
            if read not in paired:
                paired.add(read)
                codes = symmetric_codes(quantization.ranges[read])
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
