"""The convolutions that Paddle Inference is to run in INT8, and the scales that they need."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import onnx
from onnx import numpy_helper

from fqbench.backends.paddle.float_sums import float_sums, quantized_inputs
from fqbench.convert.program import digest
from fqbench.graph.graph import Graph
from fqbench.quantize.affine import UINT8_LEVELS, representable_weight_amax
from fqbench.quantize.record import Quantization, SafeForm
from fqbench.quantize.sharing import averaged, shared_ranges

FULLY_CONNECTED = "fqbench runs convolutions alone in INT8 on Paddle"


@dataclass(frozen=True)
class Layer:
    """One convolution to quantize: its name, and its weight's SHA-256, by which it is found.

    ``number`` counts, from 0, the convolutions of the same weight before it. Largest magnitudes:
    of its input, of each channel of its weight, of its result, and, where that is only added to
    something, of the sum behind its Relu; None where they are not known.
    """

    name: str
    weight: str
    number: int
    input_amax: float
    weight_amax: tuple[float, ...]
    result_amax: float | None = None
    sum_amax: float | None = None


def unsuited(graph: Graph) -> dict[str, str]:
    """The layers that stay in float whatever their ranges, each with why."""
    connected = [node.name for node in graph.layers() if node.op_type != "Conv"]
    return {
        **averaged(graph, graph.convolutions()),
        **float_sums(graph),
        **dict.fromkeys(connected, FULLY_CONNECTED),
    }


def safe_forms(model: onnx.ModelProto, quantization: Quantization) -> dict[str, SafeForm]:
    """By what each convolution is computed rightly on CPUs without VNNI, too.

    oneDNN adds two products of uint8 inputs in 16 bits then. Weights cannot be made smaller, since
    Paddle scales them by itself, to a largest code of 127 in each channel; so inputs are. Int8
    inputs, and those of depthwise convolutions, it multiplies by weights that it halved.
    """
    graph = Graph(model)
    quantized = quantized_inputs(graph, quantization)
    ranges = shared_ranges(graph, quantization.ranges, set(quantized.values()))
    return {
        node.name: "halved"
        if ranges[quantized[node.name]].low < 0.0 or graph.is_depthwise(node)
        else "coarse"
        for node in graph.convolutions()
        if node.name in quantized
    }


def layers(model: onnx.ModelProto, quantization: Quantization) -> tuple[Layer, ...]:
    """The convolutions to quantize: all that have ranges and are not to stay in float."""
    graph = Graph(model)
    quantized = quantized_inputs(graph, quantization)
    ranges = shared_ranges(graph, quantization.ranges, set(quantized.values()))
    known = {name: found.amax for name, found in quantization.ranges.items()}
    found = []
    numbers: Counter[str] = Counter()
    for node in graph.convolutions():
        name = node.input[1]
        weight = digest(numpy_helper.to_array(graph.weights[name]))
        number = numbers[weight]
        numbers[weight] += 1
        if node.name not in quantized:
            continue
        amax, bias = ranges[node.input[0]].amax, graph.bias(node)
        limits = representable_weight_amax(
            quantization.weight_amax[name], 0.0 if bias is None else bias, amax / UINT8_LEVELS
        )
        readers = graph.consumers[node.output[0]]
        added = readers[0] if [reader.op_type for reader in readers] == ["Add"] else None
        found.append(
            Layer(
                node.name,
                weight,
                number,
                amax,
                tuple(limits.tolist()),
                known.get(node.output[0]),
                known.get(graph.result(added)) if added is not None else None,
            )
        )
    return tuple(found)
