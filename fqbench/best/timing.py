"""Times of candidates across runtimes, in turns, and what they are as parts of each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from fqbench.best.candidates import Candidate
from fqbench.errors import FqbenchError
from fqbench.measure import stats
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import (
    LaunchRecording,
    MeasurementBudget,
    Process,
    kernels,
    narrow,
    record,
)
from fqbench.measure.stats import Interval, Launches
from fqbench.steps import Finished, Measurement


@dataclass(frozen=True)
class Effort:
    """How long candidates are timed: ``short`` each of them, ``full`` those that may win."""

    short: MeasurementBudget = field(
        default_factory=lambda: MeasurementBudget(
            fewest=2,
            most=2,
            per_launch=TimingBudget(warm_up=0.1, settling=1.0, rounds=10, fewest=4, longest=0.8),
        )
    )
    full: MeasurementBudget = field(default_factory=MeasurementBudget)


@dataclass(frozen=True)
class Group:
    """What is timed together, each on ``threads`` threads; ``note``: what progress calls it.

    With ``roof``, the reference kernels of ``fqbench.measure.reference``, too. ``full``: until all
    are known narrowly, else as often as ``budget`` says.
    """

    candidates: tuple[Candidate, ...]
    threads: int
    budget: MeasurementBudget
    note: str
    full: bool = False
    roof: bool = False

    def measurement(self) -> Measurement:
        """The node that times it: a ``LaunchRecording`` by names of candidates and of kernels.

        Files are made.
        """
        nodes = tuple(node for each in self.candidates for node in each.making)
        model = self.candidates[0].cell.model
        return Measurement("time", model, nodes, partial(_timed, self), self.note)

    def is_narrow(self, times: Mapping[str, Launches]) -> bool:
        """Whether the candidates are known narrowly enough."""
        there = [times[each.name] for each in self.candidates if each.name in times]
        return not self.full or not there or narrow(there)


def _timed(
    group: Group, finished: Finished, report: Callable[[str, int, int], None]
) -> LaunchRecording:
    processes: list[Process] = []
    failures: dict[str, str] = {}
    for each in group.candidates:
        try:
            processes.append(each.subject.process(finished, group.threads, each.name))
        except FqbenchError as error:
            failures[each.name] = str(error)
    if group.roof:
        processes.append(kernels(group.threads))
    recorded = record(
        processes,
        group.budget,
        group.is_narrow,
        on_launch=lambda done, most: report(f"launch {done}", done, most),
    )
    return replace(recorded, failures={**recorded.failures, **failures})


def times_as_fast(
    reference: str | None, name: str, *records: Mapping[str, Launches]
) -> Interval | None:
    """How many times as fast ``name`` is, by the first of ``records`` that has both."""
    if reference is None or reference == name:
        return None
    for times in records:
        if reference in times and name in times:
            return stats.ratio(times[reference], times[name])
    return None


def pace(yardstick: Launches, times: Launches) -> Interval:
    """``times`` as a part of those of the yardstick, which is of the same launches."""
    if times is yardstick:
        return Interval(1.0, 1.0, 1.0)
    found = stats.ratio(yardstick, times)
    return Interval(1 / found.value, 1 / found.high, 1 / found.low)
