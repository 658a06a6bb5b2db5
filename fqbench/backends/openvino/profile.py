"""How long each node takes on OpenVINO, by its own counters."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import onnx

from fqbench.backends.node_times import NodeTime, Role
from fqbench.backends.openvino.backend import HINTS
from fqbench.backends.openvino.executed import INTEGERS, LAYERS, Node, executed, layer_of
from fqbench.backends.openvino.runtime import compiled, model_in, set_inputs
from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph

RUNS = 9

CONVERSIONS = ("Reorder", "FakeQuantize", "Convert")


def layer_times(
    model: onnx.ModelProto, canonical: Graph, feed: Feed, threads: int
) -> dict[str, float]:
    """Milliseconds that each layer takes in ``model``, a form of ``canonical``."""
    layers = {node.name for node in canonical.layers()}
    found: dict[str, float] = {}
    for node, ms in _timed(compiled(model.SerializeToString(), threads, timed=True), feed):
        layer = layer_of(node, layers)
        if layer is not None:
            found[layer] = median(ms)
    return found


def time_nodes(
    folder: Path, canonical: Graph, feed: Feed, *, precision: str, threads: int
) -> list[NodeTime]:
    """See ``fqbench.backends.node_times.TimeNodes``."""
    model = compiled(model_in(folder), threads, HINTS.get(precision, "f32"), timed=True)
    layers = {node.name: canonical.is_depthwise(node) for node in canonical.layers()}
    return [
        NodeTime(
            kind=node.kind,
            role=_role(node.kind),
            layer=(layer := layer_of(node, layers)),
            depthwise=layer is not None and layers[layer],
            integers=node.precision.lower() in INTEGERS,
            ms=min(ms),
        )
        for node, ms in _timed(model, feed)
    ]


def _role(kind: str) -> Role:
    if kind in LAYERS:
        return "layer"
    return "conversion" if kind in CONVERSIONS else "operator"


def _timed(model: Any, feed: Feed) -> list[tuple[Node, list[float]]]:
    """Nodes that are executed, each with its milliseconds in ``RUNS`` inferences."""
    request = model.create_infer_request()
    set_inputs(request, feed)
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(RUNS):
        request.infer()
        for entry in request.profiling_info:
            times[entry.node_name].append(1000 * entry.real_time.total_seconds())
    return [(node, times[node.name]) for node in executed(model) if node.name in times]
