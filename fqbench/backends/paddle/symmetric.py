"""Quantize pairs with symmetric codes, as runtimes have them that know no zero point.

The result is an ONNX graph for any runtime: weights lie on their int8 grid, biases stay float.
"""

from __future__ import annotations

import onnx

from fqbench.backends.paddle.float_sums import quantized_inputs
from fqbench.graph.graph import Graph, add_constant
from fqbench.quantize.adapt import apply_rounded_weights, rounded_weight
from fqbench.quantize.pairs import QdqPlacement, symmetric_codes, with_pairs
from fqbench.quantize.record import Quantization
from fqbench.quantize.roundings import Roundings, without_zero_points
from fqbench.quantize.sharing import shared_ranges


def rounded_tensors(
    model: onnx.ModelProto, quantization: Quantization
) -> tuple[frozenset[str], dict[str, QdqPlacement]]:
    """The layers of ``model`` that Paddle runs in INT8, and the tensors that it rounds."""
    graph = Graph(model)
    layers = quantized_inputs(graph, quantization)
    ranges = shared_ranges(graph, quantization.ranges, set(layers.values()))
    written = {_written(graph, node) for node in graph.convolutions() if node.name in layers}
    found = {}
    for name, ends in ranges.items():
        readers = frozenset(
            node.name
            for node in graph.consumers[name]
            if name in written or layers.get(node.name) == name
        )
        found[name] = QdqPlacement(symmetric_codes(ends), readers)
    return frozenset(layers), found


def roundings(model: onnx.ModelProto, quantization: Quantization, *, float_silu: bool) -> Roundings:
    """Where a student rounds; see ``fqbench.quantize.roundings.FindRoundings``."""
    return without_zero_points(*rounded_tensors(model, quantization))


def symmetric(model: onnx.ModelProto, quantization: Quantization) -> onnx.ModelProto:
    """Return ``model`` rounded as Paddle rounds it in INT8.

    A pair stands before each convolution that runs in INT8. Where such a convolution wrote what
    is rounded, it wrote codes, and whatever else reads them reads rounded values, too.
    """
    quantized, roundings = rounded_tensors(model, quantization)
    source = apply_rounded_weights(model, quantization, quantized)
    graph = Graph(source)

    def weight(target: onnx.GraphProto, node: onnx.NodeProto) -> str:
        value = rounded_weight(graph, node, quantization)
        return add_constant(target, f"{node.name}__weight_rounded", value)

    return with_pairs(source, roundings, quantized, weight)


def _written(graph: Graph, convolution: onnx.NodeProto) -> str:
    """What ``convolution`` writes with all folded in: a sum, or its activation."""
    name = graph.result(convolution)
    readers = graph.consumers[name]
    if [reader.op_type for reader in readers] == ["Add"]:
        return graph.result(readers[0])
    for reader in readers:
        if graph.is_silu(reader) and len(readers) == 2:
            return str(reader.output[0])
    return name
