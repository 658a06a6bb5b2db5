"""One pass over the calibration images by ONNX Runtime: the statistics of every tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from fqbench.backends.onnxruntime import open_session, session_options
from fqbench.machine import usable_cores
from fqbench.quantize.graph import Graph
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
    """Statistics of tensors by name, and of those that layers read each channel's mean."""

    statistics: Mapping[str, Statistics]
    means: Mapping[str, NDArray[np.float64]]


def observe(model: onnx.ModelProto, feeds: Iterable[Feed]) -> Observed:
    """What there is to know of every float tensor of the graph, its inputs included."""
    watched = Watched(model)
    read = {layer.input[0] for layer in Graph(model).layers()}
    statistics: dict[str, Statistics] = {}
    sums: dict[str, NDArray[np.float64]] = {}
    images = 0
    for feed in feeds:
        images += 1
        for name, values in watched.run(feed).items():
            statistics.setdefault(name, Statistics()).add(values)
            if name in read:
                others = (0, *range(2, values.ndim))
                sums[name] = sums.get(name, 0.0) + values.mean(axis=others, dtype=np.float64)
    return Observed(statistics, {name: total / images for name, total in sums.items()})
