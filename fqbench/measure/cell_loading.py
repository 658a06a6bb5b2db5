"""A cell as a child process loads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from fqbench.backends import Runner, runtime
from fqbench.backends.base import Tensor
from fqbench.data.sample import Sample
from fqbench.measure.latency import Call
from fqbench.spec import Preprocess
from fqbench.vision.geometry import Box, Geometry
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import model_inputs, prepare


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reading(_Record):
    """How an image becomes a model's inputs, whose names are in the model's order.

    ``boxes``: of a step's images, in their order, the parts that are looked at; none where all of
    each is.
    """

    preprocess: Preprocess
    inputs: tuple[str, ...]
    boxes: tuple[Box | None, ...] = ()

    def of(self, samples: Sequence[Sample]) -> Reading:
        """The same for ``samples``, with their boxes where they have any."""
        boxes = tuple(sample.box for sample in samples)
        return self.model_copy(update={"boxes": boxes if any(boxes) else ()})

    def with_boxes(self, images: Sequence[Path]) -> list[tuple[Path, Box | None]]:
        """Each of ``images``, the step's, with its box."""
        return list(zip(images, self.boxes or [None] * len(images), strict=True))

    def feed(self, image: Any, batch: int = 1, box: Box | None = None) -> list[Tensor]:
        """The tensors of ``image``; where there are to be several images, each is this one."""
        tensors = model_inputs(prepare(image, self.preprocess, box), self.inputs)
        return tensors if batch == 1 else [np.repeat(tensor, batch, axis=0) for tensor in tensors]

    def placed(self, path: Path, box: Box | None = None) -> tuple[list[Tensor], Geometry]:
        """The tensors of the image in a file, and where it lies in them."""
        prepared = prepare(read_image(path), self.preprocess, box)
        return model_inputs(prepared, self.inputs), prepared.geometry


class Loadable(_Record):
    """An artifact, what runs it, and what it is fed: ``batch`` images at once."""

    artifact: Path
    backend: str
    device: str
    precision: str
    reading: Reading
    batch: int = 1

    def load(self, threads: int) -> Runner:
        """What runs it. Raises StepError where it cannot be loaded."""
        return runtime(self.backend).prepare(
            self.artifact, device=self.device, precision=self.precision, threads=threads
        )

    def feed(self, image: Any) -> list[Tensor]:
        """The tensors that an inference is given for ``image``."""
        return self.reading.feed(image, self.batch)

    def call(self, image: Path, threads: int) -> Call:
        """One inference on the image of a file."""
        runner, tensors = self.load(threads), self.feed(read_image(image))
        return lambda: runner.run(tensors)
