"""What the student learns from: images, and the teacher's outputs for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.graph.executor import Feed, InstrumentedModel
from fqbench.graph.graph import Graph
from fqbench.methods.distillation.element_weights import ElementWeights
from fqbench.tune.error import raw_outputs

Array = NDArray[np.float32]


@dataclass(frozen=True)
class TeacherOutputs:
    """Inputs of the model and the teacher's tensors, each [images, ...], in the order asked for.

    They lie in files: for all images they may be larger than the memory. ``weighting``, with the
    teacher's ``confidences`` [images, rows], gives the weight of each element of the tensors; None:
    all count the same.
    """

    inputs: tuple[Array, ...]
    targets: tuple[Array, ...]
    weighting: ElementWeights | None = None
    confidences: Array | None = None

    @staticmethod
    def compute(
        teacher: onnx.ModelProto,
        nodes: Sequence[str],
        feeds: Iterable[Feed],
        images: int,
        folder: Path,
        weighting: ElementWeights | None = None,
    ) -> TeacherOutputs:
        """Run the teacher once on each of ``feeds``, which are as many as ``images``."""
        decoded = () if weighting is None else weighting.outputs
        watched = InstrumentedModel(teacher, (*nodes, *decoded))
        files: list[Array] = []
        confidences: list[Array] = []
        inputs = 0
        for number, feed in enumerate(feeds):
            values = watched.computed(feed)
            found = [*feed, *(values[name] for name in nodes)]
            if not files:
                inputs = len(feed)
                files = [_file(folder / f"{i}.npy", images, v) for i, v in enumerate(found)]
            for file, value in zip(files, found, strict=True):
                file[number] = value[0]
            if weighting is not None:
                confidences.append(weighting.confidences([values[name] for name in decoded]))
        known = np.stack(confidences) if confidences else None
        return TeacherOutputs(tuple(files[:inputs]), tuple(files[inputs:]), weighting, known)

    def batch(self, numbers: Sequence[int]) -> tuple[list[Array], list[Array]]:
        """Inputs of some of the images, and targets, followed by their weights where they have."""
        chosen = list(numbers)
        targets = [t[chosen] for t in self.targets]
        return [i[chosen] for i in self.inputs], [*targets, *self._weights(chosen)]

    def _weights(self, numbers: list[int]) -> list[Array]:
        if self.weighting is None or self.confidences is None:
            return []
        return self.weighting.weights(self.confidences[numbers])

    def feed(self, number: int) -> Feed:
        """What the model reads for one image."""
        return [values[number : number + 1] for values in self.inputs]

    def variances(self) -> tuple[float, ...]:
        """Of each target the mean squared deviation from each channel's mean, weighted."""
        means = [_channel_means(target) for target in self.targets]
        found = np.zeros((len(self.inputs[0]), len(means)))
        for number, variances in enumerate(found):
            _, given = self.batch([number])
            weights = given[len(means) :] or [np.ones(1, np.float32)] * len(means)
            for place, (mean, weight) in enumerate(zip(means, weights, strict=True)):
                variances[place] = (weight * np.square(given[place] - mean)).mean()
        return tuple(found.mean(axis=0).tolist())


def compared_tensors(teacher: onnx.ModelProto, asked: Sequence[str]) -> tuple[str, ...]:
    """The tensors by which student and teacher are compared: ``asked``, or the raw outputs.

    Raises StepError where one is no tensor that the model computes.
    """
    graph = Graph(teacher)
    raw = raw_outputs(graph)
    for name in asked:
        if name not in graph.producer:
            raise StepError(
                f"distillation.nodes: {name!r} is no tensor of the canonical graph; without nodes,"
                f" student and teacher are compared by {', '.join(raw)}"
            )
    return tuple(asked) or raw


def _file(path: Path, images: int, like: Array) -> Array:
    shape = (images, *like.shape[1:])
    made: Array = open_memmap(path, mode="w+", dtype=np.float32, shape=shape)  # type: ignore[no-untyped-call]
    return made


def _channel_means(target: Array) -> Array:
    axes = (0, *range(2, target.ndim))
    return np.asarray(target.mean(axis=axes, dtype=np.float64, keepdims=True))
