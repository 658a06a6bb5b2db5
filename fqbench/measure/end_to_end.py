"""From an image's file to its answer, as an application does it, one image after another.

Every image is decoded, preprocessed, run and postprocessed in this order, in one thread but for the
runtime's own, and each part is timed within that. So an inference here finds caches as the other
parts leave them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict

from fqbench.backends.base import Runner
from fqbench.jsonvalue import Json
from fqbench.measure import stopwatch
from fqbench.measure.cell_loading import Loadable, Reading
from fqbench.measure.latency import Block, Clock, Stopwatch, TimingBudget
from fqbench.measure.stats import Interval, Launches
from fqbench.message import Message
from fqbench.spec import Decode
from fqbench.tasks.decoding import decoder
from fqbench.tasks.record import DecodeFunction
from fqbench.tasks.registry import decoder_of
from fqbench.vision.geometry import Box
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import prepare

PARTS = ("decode", "preprocess", "inference", "postprocess")
"""In their order: from the file to pixels; to the model's tensors; the runtime; to the answer."""

INFERENCE = "inference"

IMAGES = 4
"""Of the data set, evenly spaced; each block of times is of all of them."""


@dataclass(frozen=True)
class EndToEnd:
    """Milliseconds from an image's file to its answer, with the interval from launch to launch.

    ``parts_ms``: of these, by ``PARTS``. ``ratio``: how many times as fast as FP32 of the same
    backend; ``inference_ratio``: the same of the inferences alone, which are a part of both.
    ``images``: how many different ones; ``launches``: how often processes were started.
    """

    ms: Interval
    parts_ms: Mapping[str, float]
    ratio: Interval | None
    inference_ratio: Interval | None
    images: int
    launches: int


class ApplicationTiming(Message):
    """What ``time_application`` is called with beside its launch.

    ``decode``: how outputs become an answer; ``allow_code``: by a decoder of the user's own, too.
    """

    cell: Loadable
    images: tuple[Path, ...]
    decode: Decode
    allow_code: bool
    threads: int
    side: str


class ApplicationLaunch(ApplicationTiming):
    """``cores``: to bind the process to, as in ``fqbench.measure.messages.CellLaunch``."""

    model_config = ConfigDict(extra="ignore")

    cores: tuple[int, ...]

    def application(self) -> Application:
        """What is timed. Raises StepError where the cell cannot be loaded."""
        size = self.cell.reading.preprocess.resize.output
        decode: DecodeFunction | None = None
        if decoder_of(self.decode).function is not None:
            decode = decoder(self.decode, size, allow_code=self.allow_code)
        return Application(self.cell.load(self.threads), self.cell.reading, decode, self.images)


@dataclass(frozen=True)
class Application:
    """Answers ``images``; a ``Side`` whose blocks hold, image by image, the seconds of each part.

    ``decode``: None where outputs are the answer.
    """

    runner: Runner
    reading: Reading
    decode: DecodeFunction | None
    images: Sequence[Path]
    clock: Clock = time.perf_counter

    def warm_up(self, budget: TimingBudget) -> int:
        """Answer all images until times settle; return how often that fills a block."""
        return Stopwatch(lambda: self.block(1), self.clock).warm_up(budget)

    def block(self, runs: int) -> Block:
        """Seconds of the parts of each image, ``runs`` times all images."""
        placed = self.reading.with_boxes(self.images) * runs
        return tuple(seconds for path, box in placed for seconds in self.answer(path, box))

    def answer(self, path: Path, box: Box | None = None) -> tuple[float, ...]:
        """Answer the image in a file, or the ``box`` of it; the seconds of ``PARTS``."""
        clock, reading = self.clock, self.reading
        begin = clock()
        pixels = read_image(path)
        decoded = clock()
        prepared = prepare(pixels, reading.preprocess, box)
        tensors = reading.tensors(prepared)
        ready = clock()
        outputs = self.runner.run(tensors)
        run = clock()
        if self.decode is not None:
            self.decode(outputs, prepared.geometry)
        end = clock()
        return decoded - begin, ready - decoded, run - ready, end - run


def time_application(arguments: Mapping[str, Json], questions: Iterator[Json]) -> Iterator[Json]:
    """Time a cell from file to answer, as ``arguments``, an ``ApplicationLaunch``, says."""
    launch = ApplicationLaunch.model_validate(arguments)
    yield from stopwatch.answers({launch.side: launch.application()}, launch.cores, questions)


def whole(times: Launches) -> Launches:
    """Seconds of an image from file to answer: one value a block, the mean over its images.

    ``times``: blocks as ``Application`` gives them.
    """
    return _means(times, slice(None), len(PARTS))


def part(times: Launches, name: str) -> Launches:
    """Seconds of one of ``PARTS``, as ``whole``."""
    return _means(times, slice(PARTS.index(name), None, len(PARTS)), 1)


def _means(times: Launches, chosen: slice, per_image: int) -> Launches:
    return [
        [(per_image * sum(block[chosen]) / len(block[chosen]),) for block in rounds]
        for rounds in times
    ]
