"""Images a second by all cores: inferences side by side, as the runtime recommends.

A block is as many inferences as fill some tenths of a second, started together and waited for
together; its time is divided by their number. So waiting for the last of them is in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from pydantic import ConfigDict

from fqbench.backends import backend
from fqbench.backends.base import Tensor
from fqbench.backends.record import resolve
from fqbench.backends.throughput import Crew, FindWays, Way
from fqbench.errors import StepError
from fqbench.isolate import Report
from fqbench.jsonvalue import Json
from fqbench.measure import stats, stopwatch
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.latency import Block, Clock, TimingBudget
from fqbench.measure.messages import CellMeasurement
from fqbench.measure.stats import Interval, Launches
from fqbench.message import Message
from fqbench.vision.image import read_image

BLOCK = 0.25
"""Seconds of a block: long next to how long the last inference of it is waited for."""

TRIAL = TimingBudget(warm_up=0.3, settling=1.0, block=BLOCK)
TRIAL_BLOCKS = 3
"""How long each way is tried. They differ by far more than what this misses."""


@dataclass(frozen=True)
class Throughput:
    """Images a second, with its interval from launch to launch.

    ``ratio``: how many times as many as FP32 of the same backend; ``way``: how inferences ran side
    by side, the fastest of those that were tried; ``launches``: how often processes were started.
    """

    images_per_s: Interval
    ratio: Interval | None
    way: str
    launches: int


@dataclass(frozen=True)
class Trial:
    """A way that was tried: its ``label``, and the seconds of an inference."""

    label: str
    seconds: float


class WayTiming(Message):
    """What ``time_way`` is called with beside its launch; ``threads``: cores that may be used.

    ``way``: which one, by its number; None: that which is the fastest when it is started.
    """

    cell: Loadable
    image: Path
    threads: int
    way: int | None
    side: str


class WayLaunch(WayTiming):
    """``cores``: those that were drawn, which are all of them."""

    model_config = ConfigDict(extra="ignore")

    cores: tuple[int, ...]


@dataclass(frozen=True)
class Volleys:
    """Times inferences that run side by side; see ``fqbench.measure.latency.Side``."""

    crew: Crew
    inputs: Sequence[Tensor]
    clock: Clock = time.perf_counter

    def warm_up(self, budget: TimingBudget) -> int:
        """Start ever more together until they fill a block; return how many do.

        That is a multiple of how many run at once, so that none of those waits for others.
        """
        start, times = self.clock(), 1
        while True:
            runs = times * self.crew.width
            seconds = runs * self.block(runs)[0]
            if seconds >= budget.block / 2 and self.clock() - start >= budget.warm_up:
                return self.crew.width * max(1, round(times * budget.block / seconds))
            if seconds < budget.block / 2:
                times *= 2

    def block(self, runs: int) -> Block:
        """Seconds by number of inferences, of ``runs`` that are started together."""
        begin = self.clock()
        self.crew.run(self.inputs, runs)
        return ((self.clock() - begin) / runs,)


def ways_of(cell: Loadable, cores: int) -> Sequence[Way]:
    """The ways that its backend knows to run ``cell`` at full load by ``cores`` cores.

    Raises StepError where it knows none.
    """
    known = backend(cell.backend)
    if known.throughput is None:
        raise StepError(f"{known.label} does not say how it runs at full load")
    find: FindWays = resolve(known.throughput)
    return find(cell.artifact, device=cell.device, precision=cell.precision, cores=cores)


def try_ways(arguments: Mapping[str, Json], report: Report) -> list[dict[str, Json]]:
    """A ``Trial`` of each way to run what ``arguments``, a ``CellMeasurement``, says, as JSON.

    Its ``threads`` are the cores to use. Runs in a child process.
    """
    asked = CellMeasurement.model_validate(arguments)
    inputs = asked.cell.feed(read_image(asked.image))
    return [asdict(_trial(way, inputs)) for way in ways_of(asked.cell, asked.threads)]


def _trial(way: Way, inputs: Sequence[Tensor]) -> Trial:
    volleys = Volleys(way.load(), inputs)
    runs = volleys.warm_up(TRIAL)
    return Trial(way.label, median(volleys.block(runs)[0] for _ in range(TRIAL_BLOCKS)))


def fastest(trials: Sequence[Trial]) -> int:
    """The number of the way whose inferences took the least time. Raises ValueError without any."""
    return min(range(len(trials)), key=lambda number: trials[number].seconds)


def time_way(arguments: Mapping[str, Json], questions: Iterator[Json]) -> Iterator[Json]:
    """Time inferences side by side, as ``arguments``, a ``WayLaunch``, says.

    Where its threads run is the runtime's own affair: some bind them to cores.
    """
    launch = WayLaunch.model_validate(arguments)
    inputs = launch.cell.feed(read_image(launch.image))
    ways, number = ways_of(launch.cell, launch.threads), launch.way
    if number is None:
        number = fastest([_trial(way, inputs) for way in ways])
    side = Volleys(ways[number].load(), inputs)
    yield from stopwatch.answers({launch.side: side}, (), questions)


def images_per_s(times: Launches, batch: int) -> Interval:
    """From seconds by inference of ``batch`` images. Raises ValueError as ``stats.median``."""
    found = stats.median(times)
    return Interval(batch / found.value, batch / found.high, batch / found.low)
