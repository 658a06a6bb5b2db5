"""Weights on their int8 grid, and biases that compensate for it, in place of a graph's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from fqbench.graph.graph import Graph, add_constant
from fqbench.hardware import usable_cores
from fqbench.quantize import affine
from fqbench.quantize.affine import INT8_MAX, int8_weight
from fqbench.quantize.grids import FULL, Grid, GridName
from fqbench.quantize.moments import Moments
from fqbench.quantize.record import Quantization, RoundedWeight
from fqbench.quantize.rounding import Factor, gptq_round


def round_layers(
    graph: Graph,
    moments: Mapping[str, Moments],
    weight_amax: Mapping[str, Sequence[float]],
    grids: Mapping[GridName, Grid],
) -> tuple[dict[str, RoundedWeight], dict[GridName, dict[str, RoundedWeight]]]:
    """Round each layer whose ``moments`` are known: to all codes, and to each of ``grids``.

    A weight that layers share is not rounded.
    """

    def rounded(layer: onnx.NodeProto) -> list[RoundedWeight]:
        weight, seen = graph.weight(layer), moments[layer.name]
        amax, factor = weight_amax[layer.input[1]], Factor.of(seen.covariance)
        return [round_layer(weight, amax, seen, factor, grid) for grid in (FULL, *grids.values())]

    layers = [
        layer
        for layer in graph.layers()
        if layer.name in moments and len(graph.consumers[layer.input[1]]) == 1
    ]
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = list(pool.map(rounded, layers))
    names = [layer.name for layer in layers]
    full = {name: first for name, (first, *_) in zip(names, found, strict=True)}
    return full, {
        grid: {name: others[number] for name, others in zip(names, found, strict=True)}
        for number, grid in enumerate(grids, start=1)
    }


def round_layer(
    weight: NDArray[np.float32],
    amax: Sequence[float],
    moments: Moments,
    factor: Factor,
    grid: Grid = FULL,
) -> RoundedWeight:
    """Codes of a weight, and what keeps the mean of the layer's result in spite of them.

    Codes are of ``grid``, whose limit stands for the channel's ``amax``. ``factor`` is that of the
    covariance of ``moments``.
    """
    outputs, groups, parts = len(weight), moments.sampler.groups, moments.sampler.parts
    _, scales = int8_weight(weight, np.asarray(amax) * (INT8_MAX / grid.limit))
    units = np.repeat(scales.astype(np.float64).reshape(groups, -1), parts, axis=0)
    real = weight.astype(np.float64).reshape(groups, outputs // groups, parts, -1)
    real = real.swapaxes(1, 2).reshape(groups * parts, outputs // groups, -1)
    codes = gptq_round(real, units, factor, grid)
    lost = np.einsum("gok,gk->go", real - codes * units[:, :, None], moments.mean)
    bias = lost.reshape(groups, parts, -1).sum(axis=1).ravel()
    stored = codes.reshape(groups, parts, outputs // groups, -1).swapaxes(1, 2)
    return RoundedWeight(stored.tobytes(), tuple(bias.tolist()))


def apply_rounded_weights(
    model: onnx.ModelProto, quantization: Quantization, layers: Collection[str]
) -> onnx.ModelProto:
    """``model`` with what the record has for ``layers``, those that are rounded.

    Their weights lie on the grid of ``weight_amax``, so that the nearest codes are those of the
    record. A layer without a bias gets one; one whose bias others share keeps it.
    """
    graph = Graph(deepcopy(model))
    for layer in graph.layers():
        if layer.name in layers and layer.name in quantization.rounded:
            rounded = quantization.rounded[layer.name]
            _replace_weight(graph, layer, rounded, quantization.weight_amax[layer.input[1]])
            _add_bias(graph, layer, np.array(rounded.bias, np.float32))
    return graph.model


def _replace_weight(
    graph: Graph, layer: onnx.NodeProto, rounded: RoundedWeight, amax: Sequence[float]
) -> None:
    weight = graph.weight(layer)
    _, scales = int8_weight(weight, amax)
    codes = np.frombuffer(rounded.codes, np.int8).reshape(len(weight), -1)
    real = (codes * scales[:, None]).reshape(weight.shape)
    graph.replace_weight(layer.input[1], graph.as_stored(layer, real))


def _add_bias(graph: Graph, layer: onnx.NodeProto, added: NDArray[np.float32]) -> None:
    if len(layer.input) < 3:
        name = f"{layer.name}__bias_correction"
        layer.input.append(add_constant(graph.model.graph, name, added))
    elif len(graph.consumers[layer.input[2]]) == 1:
        bias = numpy_helper.to_array(graph.weights[layer.input[2]])
        graph.replace_weight(layer.input[2], bias + added)


def rounded_weight(
    graph: Graph, node: onnx.NodeProto, quantization: Quantization
) -> NDArray[np.float32]:
    """The weight of a layer rounded to int8 and back, in the layout of its node."""
    amax = quantization.weight_amax[node.input[1]]
    return graph.as_stored(node, affine.round_weight(graph.weight(node), amax))
