"""A model's answers for a whole data set, images read and outputs decoded beside the runtime."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from fqbench.backends import Runner
from fqbench.backends.base import Tensor
from fqbench.data.ahead import ahead
from fqbench.isolate import Report
from fqbench.measure.prediction import Prediction
from fqbench.spec import Decode, Preprocess
from fqbench.vision.decode import Decoder, decoder
from fqbench.vision.geometry import Geometry
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import model_inputs, prepare


@dataclass(frozen=True)
class Share:
    """How an evaluation divides the cores: ``threads`` of the runtime, ``workers`` beside it."""

    threads: int
    workers: int


def share(cores: int) -> Share:
    """A quarter of the cores reads images, at least one; the others are the runtime's.

    No core is given twice but where there is only one: the runtime's threads spin while they
    wait for each other, and one that shares its core with a worker keeps the others waiting.
    """
    workers = max(1, cores // 4)
    return Share(max(1, cores - workers), workers)


@dataclass(frozen=True)
class Feed:
    """An image as the model takes it: the tensors of its inputs, and where they came from."""

    image_id: int
    tensors: list[Tensor]
    geometry: Geometry


@dataclass(frozen=True)
class Evaluation:
    """How images become a model's inputs and its outputs become answers, by how many threads."""

    preprocess: Preprocess
    inputs: tuple[str, ...]
    decode: Decoder
    workers: int

    @staticmethod
    def of(arguments: Mapping[str, Any], workers: int) -> Evaluation:
        """What the JSON of a step describes. Raises UsageError for a decoder that is not there."""
        preprocess = Preprocess.model_validate(arguments["preprocess"])
        decode = decoder(
            TypeAdapter(Decode).validate_python(arguments["decode"]),
            preprocess.resize.output,
            allow_code=arguments["allow_code"],
        )
        return Evaluation(preprocess, tuple(arguments["inputs"]), decode, workers)

    def answers(
        self, runner: Runner, samples: Iterable[tuple[int, Path]]
    ) -> Generator[Prediction, None, None]:
        """The answer for each of ``samples`` (id and file), in their order.

        The runtime runs in the caller's thread. ``workers`` threads read the next images
        meanwhile and one decodes the last outputs: a decoder of the user's own gets one image
        after the other. No more than ``2 * workers + 4`` images are in memory. Raises UsageError
        naming the image that cannot be read, and what runtime and decoder raise; then, and where
        the caller closes this, nothing is left running.
        """
        with closing(self.feeds(samples)) as feeds:
            outputs = ((feed, runner.run(feed.tensors)) for feed in feeds)
            with closing(ahead(self._answer, outputs, 1, 1)) as found:
                yield from found

    def feeds(self, samples: Iterable[tuple[int, Path]]) -> Generator[Feed, None, None]:
        """Each of ``samples`` as the model takes it, read ahead by the workers."""
        return ahead(self.read, samples, self.workers, 2 * self.workers)

    def read(self, sample: tuple[int, Path]) -> Feed:
        """One image. Raises UsageError naming it where it cannot be read."""
        image_id, path = sample
        prepared = prepare(read_image(path), self.preprocess)
        return Feed(image_id, model_inputs(prepared, self.inputs), prepared.geometry)

    def _answer(self, output: tuple[Feed, list[Tensor]]) -> Prediction:
        feed, tensors = output
        return Prediction(feed.image_id, self.decode(tensors, feed.geometry))


def reported(found: Iterable[Prediction], images: int, report: Report) -> Iterator[Prediction]:
    """``found`` as it is, each told to ``report`` as one more of ``images``."""
    for done, prediction in enumerate(found, start=1):
        report(done, images)
        yield prediction
