"""One pass over the calibration images by ONNX Runtime: the statistics of every tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from fqbench.backends.onnxruntime import open_session, session_options
from fqbench.machine import usable_cores
from fqbench.quantize.graph import Graph
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
        options = session_options(usable_cores())
        # Fused operators would hide the tensors between them.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
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

    But for the sigmoids of SiLUs: their results lie between 0 and 1, and no backend asks for more.
    """
    graph = Graph(model)
    watched = Watched(model, _asked_for(graph))
    readings = {layer.name: Reading.of(graph, layer) for layer in graph.layers()}
    moments = {name: Moments(reading) for name, reading in readings.items() if reading is not None}
    read = {layer.name: layer.input[0] for layer in graph.layers() if layer.name in moments}
    statistics: dict[str, Statistics] = {}
    # The same places at every calibration.
    random = np.random.default_rng(0)
    with ThreadPoolExecutor(usable_cores()) as pool:
        for feed in feeds:
            values = watched.run(feed)
            counting = [
                pool.submit(statistics.setdefault(name, Statistics()).add, tensor)
                for name, tensor in values.items()
            ]
            for name, seen in moments.items():
                seen.add(values[read[name]], random)
            for counted in counting:
                counted.result()
    return Observed(statistics, moments)


def _asked_for(graph: Graph) -> list[str]:
    gates = {gate.output[0] for n in graph.model.graph.node if (gate := graph.gate(n)) is not None}
    alone = {n for n in gates if len(graph.consumers[n]) == 1 and n not in graph.outputs}
    return [name for name in graph.producer if name and name not in alone]
