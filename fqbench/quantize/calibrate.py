"""Calibration: from the canonical graph and images to the backend-neutral record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

import numpy as np
import onnx

from fqbench.errors import StepError
from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph
from fqbench.quantize.adapt import round_layers
from fqbench.quantize.algorithms import (
    Algorithm,
    Range,
    find_range,
    hard_swish,
    identity,
    search_mse_range,
    silu,
)
from fqbench.quantize.code_errors import Function
from fqbench.quantize.grids import SAFE
from fqbench.quantize.histogram import TensorHistogram
from fqbench.quantize.observe import observe
from fqbench.quantize.record import Quantization

KEPT_BY_SPEC = "the spec keeps it in float"
CLIPPING_WEIGHT = 8.0
"""How many times a clipping error counts in the search for wide ranges."""
NO_RANGE = "calibration gave no range for its input or result"


def calibrate(
    model: onnx.ModelProto,
    feeds: Iterable[Feed],
    algorithm: Algorithm,
    keep_float: Collection[str] = (),
    *,
    saturates: bool = True,
) -> Quantization:
    """Ranges of every tensor of ``model``, from one pass over ``feeds``.

    ``saturates``: whether weights are rounded for CPUs whose 8-bit products saturate, too.

    ``keep_float``: names of layers, or patterns with ``*``, that are not quantized. Raises
    StepError where one matches no layer, or nothing is left to quantize.
    """
    graph = Graph(model)
    seen = observe(model, feeds)
    ranges = activation_ranges(graph, seen.histograms, algorithm)
    weight_amax = weight_limits(graph)
    rounded, safe = round_layers(graph, seen.moments, weight_amax, SAFE if saturates else {})
    return Quantization(
        method="offline",
        algorithm=algorithm,
        images=max((len(found.image_amax) for found in seen.histograms.values()), default=0),
        ranges=ranges,
        weight_amax=weight_amax,
        float_layers=_kept(graph, ranges, keep_float),
        rounded=rounded,
        wide=wide_ranges(graph, seen.histograms) if algorithm == "search" else {},
        safe=safe,
        weights={layer.name: layer.input[1] for layer in graph.layers()},
        reads={layer.name: layer.input[0] for layer in graph.layers()},
    )


def activation_ranges(
    graph: Graph, seen: Mapping[str, TensorHistogram], algorithm: Algorithm
) -> dict[str, Range]:
    """The range of each tensor. What only a SiLU reads is judged by the SiLU's result."""
    return {
        name: find_range(histogram, algorithm, following_activation(graph, name))
        for name, histogram in seen.items()
        if histogram.amax > 0.0
    }


def wide_ranges(graph: Graph, seen: Mapping[str, TensorHistogram]) -> dict[str, Range]:
    """The range of each tensor with clipping errors counted ``CLIPPING_WEIGHT`` times."""
    return {
        name: search_mse_range(histogram, following_activation(graph, name), CLIPPING_WEIGHT)
        for name, histogram in seen.items()
        if histogram.amax > 0.0
    }


def following_activation(graph: Graph, name: str) -> Function:
    """What is computed from the tensor before anything else reads it."""
    readers = graph.consumers[name]
    if not readers or name in graph.outputs:
        return identity
    if all(node.op_type == "HardSwish" for node in readers):
        return hard_swish
    only = all(node.op_type == "Sigmoid" or graph.is_silu(node) for node in readers)
    return silu if only and any(map(graph.is_silu, readers)) else identity


def weight_limits(graph: Graph) -> dict[str, tuple[float, ...]]:
    """Largest magnitude of each output channel of each layer's weight."""
    found = {}
    for node in graph.layers():
        weight = graph.weight(node)
        largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        found[node.input[1]] = tuple(largest.tolist())
    return found


def _kept(graph: Graph, ranges: Collection[str], keep_float: Collection[str]) -> dict[str, str]:
    layers = graph.layers()
    kept = {}
    for pattern in keep_float:
        matched = [node.name for node in layers if fnmatchcase(node.name, pattern)]
        if not matched:
            names = ", ".join(node.name for node in layers[:5])
            raise StepError(
                f"keep_float {pattern!r} is none of the {len(layers)} layers ({names}, …)"
            )
        kept.update(dict.fromkeys(matched, KEPT_BY_SPEC))
    for node in layers:
        if any(end not in ranges for end in (node.input[0], graph.result(node))):
            kept.setdefault(node.name, NO_RANGE)
    if len(kept) == len(layers):
        raise StepError("no layer of the model is left to quantize")
    return kept
