"""One pass over the calibration images by ONNX Runtime: the statistics of every tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.backends.onnxruntime.runtime import open_session, session_options
from fqbench.graph.graph import Graph
from fqbench.machine import usable_cores
from fqbench.quantize.moments import Moments, Reading
from fqbench.quantize.statistics import Statistics

Tensors = Mapping[str, NDArray[np.float32]]
Feed = Sequence[NDArray[np.float32]]


class Watched:
    """A graph that hands out the named tensors beside its outputs, every float one if None."""

    def __init__(self, model: onnx.ModelProto, tensors: Iterable[str] | None = None) -> None:
        watched = onnx.ModelProto()
        watched.CopyFrom(model)
        known = {value.name for value in watched.graph.output}
        produced = [name for node in model.graph.node for name in node.output if name]
        for name in dict.fromkeys(produced if tensors is None else tensors):
            if name not in known:
                watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        # What is asked for is an output, which no optimization takes away. Pairs only round.
        options = session_options(usable_cores(), fuse_pairs=False)
        # Threads that wait for the next image leave the cores to what is done with this one.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = open_session(watched.SerializeToString(), options)
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._outputs = [
            value.name for value in self._session.get_outputs() if value.type == "tensor(float)"
        ]

    def run(self, feed: Feed) -> Tensors:
        """Values of the tensors, and of the inputs."""
        given = dict(zip(self._inputs, feed, strict=True))
        return {**given, **self.computed(feed)}

    def computed(self, feed: Feed) -> Tensors:
        """Values of the tensors."""
        given = dict(zip(self._inputs, feed, strict=True))
        values = self._session.run(self._outputs, given)
        return dict(zip(self._outputs, values, strict=True))


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
    watched = Watched(model, _asked_for(graph))
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
            values = watched.run(feed)
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
