"""One pass over the calibration images: the statistics of every tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import onnx

from fqbench.graph.executor import Feed, InstrumentedModel
from fqbench.graph.graph import Graph
from fqbench.hardware import usable_cores
from fqbench.quantize.moments import Moments, Reading
from fqbench.quantize.statistics import Statistics


@dataclass(frozen=True)
class Observed:
    """Statistics of tensors by name, and moments of what layers read by the layer's name."""

    statistics: Mapping[str, Statistics]
    moments: Mapping[str, Moments]


def observe(model: onnx.ModelProto, feeds: Iterable[Feed]) -> Observed:
    """What there is to know of every float tensor of the graph, its inputs included.

    But for what no backend rounds: the sigmoids of SiLUs, whose results lie between 0 and 1, and
    what lies between a layer and the activation that is folded into it.
    """
    graph = Graph(model)
    shown = InstrumentedModel(model, _asked_for(graph))
    statistics: dict[str, Statistics] = {}
    moments: dict[str, Moments] = {}
    for number, layer in enumerate(graph.layers()):
        reading = Reading.of(graph, layer)
        if reading is not None:
            # The same places at every calibration, whichever layer is counted first.
            moments[layer.name] = Moments(reading, number)
    read = {layer.name: layer.input[0] for layer in graph.layers() if layer.name in moments}
    with ThreadPoolExecutor(usable_cores()) as pool:
        for feed in feeds:
            values = shown.run(feed)
            counting = [
                pool.submit(statistics.setdefault(name, Statistics()).add, tensor)
                for name, tensor in values.items()
            ]
            counting += [
                pool.submit(seen.add, values[read[name]]) for name, seen in moments.items()
            ]
            for counted in counting:
                counted.result()
    return Observed(statistics, moments)


def _asked_for(graph: Graph) -> list[str]:
    gates = {gate.output[0] for n in graph.model.graph.node if (gate := graph.gate(n)) is not None}
    alone = {n for n in gates if len(graph.consumers[n]) == 1 and n not in graph.outputs}
    inner = {n.output[0] for n in graph.layers() if graph.result(n) != n.output[0]}
    return [name for name in graph.producer if name and name not in alone | inner]
