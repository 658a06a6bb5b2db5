"""What all measures have in common: which cells are there, turns that they take, ratios."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fqbench.cells import Cell
from fqbench.measure import stats
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import LaunchRecording, MeasurementBudget, Process, narrow, record
from fqbench.measure.measures import ONCE, Figure, Measure, NotMeasured, costs
from fqbench.measure.stats import Interval, Launches
from fqbench.pipeline.timing import Report, Subject
from fqbench.steps import Finished

WIDTH = 0.02
"""Half the width of a ratio's interval, as a part of its value, at which timing ends."""

Values = Mapping[str, Launches]
"""What figures are computed from, by the key of a side."""


@dataclass(frozen=True)
class Effort:
    """How much to measure.

    ``budget``: of what is timed in launches. ``processes``: of a cell, where each process gives
    one value; one is started before them that does not count.
    """

    budget: MeasurementBudget = field(
        default_factory=lambda: MeasurementBudget(
            fewest=5,
            most=12,
            longest=30,
            per_launch=TimingBudget(warm_up=0.2, rounds=8, fewest=2, longest=2.4),
        )
    )
    processes: int = 6

    @property
    def once(self) -> MeasurementBudget:
        """Of what each process finds out once."""
        count = self.processes + 1
        return MeasurementBudget(count, count, math.inf, ONCE)


@dataclass(frozen=True)
class Asked:
    """What is to be measured; ``threads``: of the runtime, where it is not at full load."""

    subjects: tuple[Subject, ...]
    threads: int
    effort: Effort


@dataclass(frozen=True)
class Measured:
    """The figures of cells, and what they were computed from: less of it is better."""

    figures: Mapping[Cell, Figure]
    values: Mapping[Cell, Launches]


@dataclass(frozen=True)
class Sides:
    """The cells that are there: the key of each, and one subject for each key."""

    keys: Mapping[Cell, str]
    subjects: Mapping[str, Subject]

    @staticmethod
    def of(asked: Asked, finished: Finished) -> Sides:
        """Those whose file could be made."""
        there = [each for each in asked.subjects if finished.failure(each.loads) is None]
        keys = {each.cell: each.key(finished) for each in there}
        return Sides(keys, {keys[each.cell]: each for each in reversed(there)})

    def figures(
        self,
        values: Values,
        lacking: Mapping[str, NotMeasured],
        figure: Callable[[str, str | None], Figure],
    ) -> Measured:
        """Figures by cell; ``lacking``: why a side has none.

        ``figure`` is called with the key of a side, and that of the one it is compared with, FP32
        of the same backend: None where there is none, or it is that itself.
        """
        found: dict[Cell, Figure] = {}
        for cell, key in self.keys.items():
            first = self.keys.get(cell.baseline) if cell != cell.baseline else None
            there = key in values
            found[cell] = figure(key, first if first in values else None) if there else lacking[key]
        known = {cell: values[key] for cell, key in self.keys.items() if key in values}
        return Measured(found, known)


def record_sides(
    measure: Measure, processes: Sequence[Process], budget: MeasurementBudget, report: Report
) -> LaunchRecording:
    """In turns, until the ratios of what ``measure`` compares are known well enough."""

    def known(times: Values) -> bool:
        return not times or narrow([costs(measure, each) for each in times.values()], WIDTH)

    return record(
        processes,
        budget,
        known,
        on_launch=lambda done, most: report(f"launch {done}", done, most),
    )


def one_process(
    function: str, key: str, subject: Subject, threads: int, finished: Finished
) -> Process:
    """What finds out something of a cell once, by a ``function`` of ``fqbench.measure``.

    It is called as ``stopwatch.time_cell``.
    """
    process = subject.process(finished, threads, key)
    return replace(process, function=f"fqbench.measure.{function}")


def ratio(values: Values, first: str | None, key: str) -> Interval | None:
    """How many times less ``key`` takes than ``first``; None without that."""
    return None if first is None else stats.ratio(values[first], values[key])


def in_ms(seconds: Interval) -> Interval:
    """Seconds as milliseconds."""
    return Interval(1e3 * seconds.value, 1e3 * seconds.low, 1e3 * seconds.high)


def failed(failures: Mapping[str, str]) -> dict[str, NotMeasured]:
    """Sides that have no figure since measuring them failed, and why."""
    return {key: NotMeasured(why, failed=True) for key, why in failures.items()}
