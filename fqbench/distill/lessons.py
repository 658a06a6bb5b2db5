"""What the student learns from: images, and what the teacher makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.quantize.graph import Graph
from fqbench.quantize.observe import Feed, Watched
from fqbench.tune.error import raw_outputs

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Lessons:
    """Inputs of the model and the teacher's tensors, each [images, ...], in the order asked for.

    They lie in files: for all images they may be larger than the memory.
    """

    inputs: tuple[Array, ...]
    targets: tuple[Array, ...]

    @staticmethod
    def taken(
        teacher: onnx.ModelProto,
        nodes: Sequence[str],
        feeds: Iterable[Feed],
        images: int,
        folder: Path,
    ) -> Lessons:
        """Run the teacher once on each of ``feeds``, which are as many as ``images``."""
        watched = Watched(teacher, nodes)
        files: list[Array] = []
        inputs = 0
        for number, feed in enumerate(feeds):
            values = watched.computed(feed)
            found = [*feed, *(values[name] for name in nodes)]
            if not files:
                inputs = len(feed)
                files = [_file(folder / f"{i}.npy", images, v) for i, v in enumerate(found)]
            for file, value in zip(files, found, strict=True):
                file[number] = value[0]
        return Lessons(tuple(files[:inputs]), tuple(files[inputs:]))

    def batch(self, numbers: Sequence[int]) -> tuple[list[Array], list[Array]]:
        """Inputs and targets of some of the images."""
        chosen = list(numbers)
        return [i[chosen] for i in self.inputs], [t[chosen] for t in self.targets]

    def feed(self, number: int) -> Feed:
        """What the model reads for one image."""
        return [values[number : number + 1] for values in self.inputs]

    def spreads(self) -> tuple[float, ...]:
        """Of each target the mean squared deviation from each channel's mean."""
        return tuple(map(_spread, self.targets))


def compared(teacher: onnx.ModelProto, asked: Sequence[str]) -> tuple[str, ...]:
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


def _spread(target: Array) -> float:
    axes = (0, *range(2, target.ndim))
    means = target.mean(axis=axes, dtype=np.float64, keepdims=True)
    each = (np.square(image - means[0]).mean() for image in target)
    return float(np.mean(list(each)))
