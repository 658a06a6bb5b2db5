"""One pass over the calibration images: statistics of every tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import onnx

from fqbench.graph.executor import Feed, InstrumentedModel
from fqbench.graph.graph import Graph
from fqbench.hardware import usable_cores
from fqbench.quantize.histogram import TensorHistogram
from fqbench.quantize.moments import Moments, PatchSampler


@dataclass(frozen=True)
class CalibrationStatistics:
    """Histograms of tensors by name, and moments of what layers read by the layer's name."""

    histograms: Mapping[str, TensorHistogram]
    moments: Mapping[str, Moments]


def observe(model: onnx.ModelProto, feeds: Iterable[Feed]) -> CalibrationStatistics:
    """Statistics of every float tensor of the graph, its inputs included.

    Except those that no backend rounds: the sigmoids of SiLUs, whose results lie between 0 and 1,
    and what lies between a layer and the activation that is folded into it.
    """
    graph = Graph(model)
    shown = InstrumentedModel(model, _asked_for(graph))
    histograms: dict[str, TensorHistogram] = {}
    moments: dict[str, Moments] = {}
    for number, layer in enumerate(graph.layers()):
        sampler = PatchSampler.of(graph, layer)
        if sampler is not None:
            # The same positions at every calibration, whichever layer is counted first.
            moments[layer.name] = Moments(sampler, number)
    read = {layer.name: layer.input[0] for layer in graph.layers() if layer.name in moments}
    with ThreadPoolExecutor(usable_cores()) as pool:
        for feed in feeds:
            values = shown.run(feed)
            counting = [
                pool.submit(histograms.setdefault(name, TensorHistogram()).add, tensor)
                for name, tensor in values.items()
            ]
            counting += [
                pool.submit(seen.add, values[read[name]]) for name, seen in moments.items()
            ]
            for counted in counting:
                counted.result()
    return CalibrationStatistics(histograms, moments)


def _asked_for(graph: Graph) -> list[str]:
    gates = {gate.output[0] for n in graph.model.graph.node if (gate := graph.gate(n)) is not None}
    alone = {n for n in gates if len(graph.consumers[n]) == 1 and n not in graph.outputs}
    inner = {n.output[0] for n in graph.layers() if graph.result(n) != n.output[0]}
    return [name for name in graph.producer if name and name not in alone | inner]
