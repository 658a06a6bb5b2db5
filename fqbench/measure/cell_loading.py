"""A cell as a child process loads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from fqbench.backends import Runner, runtime
from fqbench.backends.base import Tensor
from fqbench.data.sample import Sample
from fqbench.measure.latency import Call
from fqbench.spec import Preprocess
from fqbench.spec.inputs import PLAIN, Filled, ImageForm
from fqbench.spec.preprocessing import SCALE_FACTOR_INPUT, Size
from fqbench.vision.geometry import Box, Geometry
from fqbench.vision.image import read_image
from fqbench.vision.inputs import model_inputs
from fqbench.vision.preprocess import Prepared, prepare


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reading(_Record):
    """How an image becomes a model's inputs, whose names are in the model's order.

    ``form``: in which layout and type the image goes in; ``others``: what goes in beside it.
    ``sizes``: that images which nothing is read from are resized to by turns, none: as always.
    ``boxes``: of a step's images, in their order, the parts that are looked at; none where all of
    each is.
    """

    preprocess: Preprocess
    inputs: tuple[str, ...]
    form: ImageForm = PLAIN
    others: Mapping[str, Filled] = Field(default_factory=dict)
    sizes: tuple[Size, ...] = ()
    boxes: tuple[Box | None, ...] = ()

    def turn(self, number: int) -> Reading:
        """As the image of this ``number`` is read, where there are ``sizes`` to be read at."""
        if not self.sizes:
            return self
        size = {"size": self.sizes[number % len(self.sizes)]}
        resize = self.preprocess.resize.model_copy(update=size)
        preprocess = self.preprocess.model_copy(update={"resize": resize})
        return self.model_copy(update={"preprocess": preprocess, "sizes": ()})

    def of(self, samples: Sequence[Sample]) -> Reading:
        """The same for ``samples``, with their boxes where they have any."""
        boxes = tuple(sample.box for sample in samples)
        return self.model_copy(update={"boxes": boxes if any(boxes) else ()})

    def with_boxes(self, images: Sequence[Path]) -> list[tuple[Path, Box | None]]:
        """Each of ``images``, the step's, with its box."""
        return list(zip(images, self.boxes or [None] * len(images), strict=True))

    def feed(self, image: Any, batch: int = 1, box: Box | None = None) -> list[Tensor]:
        """The tensors of ``image``; where there are to be several images, each is this one."""
        tensors = self.tensors(prepare(image, self.preprocess, box))
        return tensors if batch == 1 else [np.repeat(tensor, batch, axis=0) for tensor in tensors]

    def placed(self, path: Path, box: Box | None = None) -> tuple[list[Tensor], Geometry]:
        """The tensors of the image in a file, and where it lies in them."""
        prepared = prepare(read_image(path), self.preprocess, box)
        return self.tensors(prepared), prepared.geometry

    @property
    def image(self) -> str:
        """The input that takes the image."""
        beside = (*self.others, SCALE_FACTOR_INPUT)
        return next(name for name in self.inputs if name not in beside)

    @property
    def plain(self) -> Reading:
        """The same for a graph of ours, which takes no more than what differs between images.

        It takes numbers of 16 bits as float32.
        """
        differing = {
            name: other.for_one(self.form.batch)
            for name, other in self.others.items()
            if other.differs
        }
        inputs = (name for name in self.inputs if name not in self.others or name in differing)
        return Reading(preprocess=self.preprocess, inputs=tuple(inputs), others=differing)

    def tensors(self, prepared: Prepared) -> list[Tensor]:
        """Those of an image that is prepared, in the order of the inputs."""
        return model_inputs(prepared, self.inputs, self.form, self.others)


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
