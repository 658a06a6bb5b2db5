"""A model's answers for a whole data set, as fast as the cores allow and in constant memory."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from fqbench.backends import Runner, backend
from fqbench.backends.base import Tensor
from fqbench.data.ahead import ahead
from fqbench.isolate import Report
from fqbench.measure.cell_loading import Reading
from fqbench.measure.prediction import Prediction
from fqbench.tasks.decoding import decoder
from fqbench.tasks.record import DecodeFunction, DecoderSettings, Outputs
from fqbench.tasks.registry import decoder_of
from fqbench.vision.geometry import Box, Geometry

MOST_RUNNERS = 8
"""Each holds the model once more in memory."""

Named = tuple[int, Path, Box | None]
"""Id and file of an image, and the part of it that is looked at."""


@dataclass(frozen=True)
class Share:
    """How an evaluation divides the cores.

    ``runners``: of the model, at the same time, ``threads`` each; ``workers`` read images.
    """

    runners: int
    threads: int
    workers: int


def share(name: str, device: str, cores: int) -> Share:
    """The share of ``cores`` by which the backend ``name`` takes the least time per image.

    Where models run side by side, each does one image from its file to its answer: no core waits
    for another, whatever reading and inference take. Else, and on a GPU, a quarter of the cores
    reads images and the others are the runtime's. No core is given twice but where there is only
    one: threads of a runtime spin while they wait for each other, and one that a worker keeps from
    its core keeps the others waiting.
    """
    if device == "cpu" and backend(name).side_by_side:
        runners = min(cores, MOST_RUNNERS)
        return Share(runners, cores // runners, runners)
    workers = max(1, cores // 4)
    return Share(1, max(1, cores - workers), workers)


@dataclass(frozen=True)
class Feed:
    """An image as the model takes it: the tensors of its inputs, and where they came from."""

    image_id: int
    tensors: list[Tensor]
    geometry: Geometry


@dataclass(frozen=True)
class Evaluation:
    """How images become a model's inputs and its outputs become answers, by how many threads."""

    reading: Reading
    decode: DecodeFunction
    workers: int

    @staticmethod
    def of(
        reading: Reading, settings: DecoderSettings, workers: int, *, allow_code: bool
    ) -> Evaluation:
        """An evaluation by ``workers`` threads. Raises UsageError for a decoder not there."""
        size = reading.preprocess.resize.output
        decode = decoder(settings, size, allow_code=allow_code)
        if decoder_of(settings).imports is not None:
            decode = one_at_a_time(decode)
        return Evaluation(reading, decode, workers)

    def answers(
        self, runners: Sequence[Runner], samples: Iterable[Named]
    ) -> Generator[Prediction, None, None]:
        """The answer for each of ``samples``, in their order.

        Several ``runners`` each run in threads of their own, a single one in the caller's.
        No more than ``2 * workers + 4`` images are in memory. Raises UsageError naming the image
        that cannot be read, and what runtime and decoder raise; then, and where the caller closes
        this, nothing is left running.
        """
        start = self._side_by_side if len(runners) > 1 else self._in_turn
        with closing(start(runners, samples)) as found:
            yield from found

    def feeds(self, samples: Iterable[Named]) -> Generator[Feed, None, None]:
        """Each of ``samples`` as the model takes it, read ahead by the workers."""
        return ahead(self.read, samples, self.workers, 2 * self.workers)

    def read(self, sample: Named) -> Feed:
        """One image. Raises UsageError naming it where it cannot be read."""
        image_id, path, box = sample
        return Feed(image_id, *self.reading.placed(path, box))

    def _side_by_side(
        self, runners: Sequence[Runner], samples: Iterable[Named]
    ) -> Generator[Prediction, None, None]:
        """As many images at a time as there are runners, each all the way in one thread."""
        idle: SimpleQueue[Runner] = SimpleQueue()
        for runner in runners:
            idle.put(runner)

        def answer(sample: Named) -> Prediction:
            feed = self.read(sample)
            runner = idle.get()
            try:
                outputs = runner.run(feed.tensors)
            finally:
                idle.put(runner)
            return self._decoded((feed, outputs))

        return ahead(answer, samples, len(runners), 2 * len(runners))

    def _in_turn(
        self, runners: Sequence[Runner], samples: Iterable[Named]
    ) -> Generator[Prediction, None, None]:
        """The next images are read, and the last outputs decoded, while the runner runs here."""
        with closing(self.feeds(samples)) as feeds:
            outputs = ((feed, runners[0].run(feed.tensors)) for feed in feeds)
            with closing(ahead(self._decoded, outputs, 1, 1)) as found:
                yield from found

    def _decoded(self, output: tuple[Feed, list[Tensor]]) -> Prediction:
        feed, tensors = output
        return Prediction(feed.image_id, self.decode(tensors, feed.geometry))


def one_at_a_time(decode: DecodeFunction) -> DecodeFunction:
    """``decode``, called by one thread at a time: a user's own function may rely on it."""
    lock = threading.Lock()

    def alone(outputs: Outputs, geometry: Geometry) -> Any:
        with lock:
            return decode(outputs, geometry)

    return alone


def reported(found: Iterable[Prediction], images: int, report: Report) -> Iterator[Prediction]:
    """``found`` as it is, each reported to ``report`` as one more of ``images``."""
    for done, prediction in enumerate(found, start=1):
        report(done, images)
        yield prediction
