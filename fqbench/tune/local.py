"""The error that rounding causes in each layer by itself: cheap, all layers in one pass.

Next to each layer is a twin that reads the same float tensor rounded, with rounded weights,
and rounds its result where the backend does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from copy import deepcopy

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.graph.executor import Feed, InstrumentedModel
from fqbench.graph.graph import Graph, add_constant
from fqbench.quantize.adapt import apply_rounded_weights, rounded_weight
from fqbench.quantize.algorithms import Range
from fqbench.quantize.calibrate import following_activation
from fqbench.quantize.pairs import QuantParams, add_pair
from fqbench.quantize.record import Quantization

Coding = Callable[[Range], QuantParams]

CONSTANT = 1e-10
"""A channel whose squared deviation is less than this part of its squared values is constant."""


def local_errors(
    model: onnx.ModelProto,
    quantization: Quantization,
    layers: Collection[str],
    feeds: Iterable[Feed],
    coding: Coding,
    *,
    results: bool,
) -> dict[str, float]:
    """Relative squared error of each layer's result, the mean over its channels.

    Against each channel's deviation from its mean: a channel whose values are small beside the
    tensor's range counts as much as any other, but a constant one, which carries no information,
    not at all. What only a SiLU reads is judged by the SiLU's result.
    ``coding`` rounds inputs, and ``results`` too where the backend writes integers.
    """
    graph = Graph(model)
    chosen = [node for node in graph.layers() if node.name in layers]
    twins = _with_twins(model, graph, chosen, quantization, coding, results=results)
    watched = InstrumentedModel(twins, [name for n in chosen for name in (n.output[0], _twin(n))])
    difference: dict[str, NDArray[np.float64]] = {}
    spread: dict[str, NDArray[np.float64]] = {}
    for feed in feeds:
        values = watched.computed(feed)
        for node in chosen:
            function = following_activation(graph, node.output[0])
            wanted, found = (
                function(values[name].astype(np.float64)) for name in (node.output[0], _twin(node))
            )
            axes = (0, *range(2, wanted.ndim))
            # Of a single row there is no channel's mean over places.
            many = wanted.ndim > 2 or len(wanted) > 1
            means = wanted.mean(axis=axes if many else None, keepdims=True)
            deviation = np.square(wanted - means).sum(axis=axes)
            deviation[deviation < CONSTANT * np.square(wanted).sum(axis=axes)] = 0.0
            zero = np.zeros(wanted.shape[1])
            error = np.square(found - wanted).sum(axis=axes)
            difference[node.name] = difference.get(node.name, zero) + error
            spread[node.name] = spread.get(node.name, zero) + deviation
    return {name: _mean(difference[name], spread[name]) for name in difference}


def _mean(difference: NDArray[np.float64], spread: NDArray[np.float64]) -> float:
    """The mean of the ratio [channels] over those that are not constant; 0 where all are."""
    alive = spread > 0.0
    return float(np.mean(difference[alive] / spread[alive])) if alive.any() else 0.0


def _with_twins(
    model: onnx.ModelProto,
    graph: Graph,
    layers: Iterable[onnx.NodeProto],
    quantization: Quantization,
    coding: Coding,
    *,
    results: bool,
) -> onnx.ModelProto:
    twins = deepcopy(model)
    rounded = Graph(apply_rounded_weights(model, quantization, quantization.rounded))
    of_name = {node.name: node for node in rounded.layers()}
    for node in layers:
        source, result = f"{node.name}__read", f"{node.name}__computed"
        add_pair(twins.graph, node.input[0], source, coding(quantization.ranges[node.input[0]]))
        value = rounded_weight(rounded, node, quantization)
        weight = add_constant(twins.graph, f"{node.name}__rounded", value)
        rounds = results and node.op_type == "Conv" and not graph.is_linear_head(node)
        rounds = rounds and graph.result(node) == node.output[0]
        twin = deepcopy(node)
        twin.name = f"{node.name}__twin"
        twin.input[:2] = [source, weight]
        bias = rounded.bias(of_name[node.name])
        if bias is not None:
            twin.input[2:] = [add_constant(twins.graph, f"{node.name}__bias", bias)]
        twin.output[0] = result if rounds else _twin(node)
        twins.graph.node.append(twin)
        if rounds:
            codes = coding(quantization.ranges[node.output[0]])
            add_pair(twins.graph, result, _twin(node), codes)
    return twins


def _twin(node: onnx.NodeProto) -> str:
    """The tensor that the layer's twin writes."""
    return f"{node.name}__twin_result"
