"""Recorded times judged again, by the gate and by pytest-benchmark: pure functions.

For the gate, launches of identical versions are drawn again, in the order they were measured in,
from a random place on; times of one cell may be made longer. All that follows is as it is when
measuring: when it stops, what is measured again, how it is judged. pytest-benchmark's own
``--benchmark-compare-fail`` is given the same times, as two runs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import parse_compare_fail

from fqbench.gate.decision import CellEvidence, decide, suspects
from fqbench.gate.evidence import SpeedEvidence
from fqbench.gate.live.comparison import ComparisonSettings
from fqbench.gate.verdict import Decision
from fqbench.measure.launches import narrow
from fqbench.measure.stats import Blocks, Launches

FIELDS = ("mean", "median", "min")
THRESHOLD = "5%"

Summary = Mapping[str, Mapping[str, float]]
"""What pytest-benchmark keeps of a run: each of ``FIELDS`` in seconds, by cell."""


@dataclass(frozen=True)
class Launch:
    """One launch of a cell: times of both sides, and how many seconds it took in all."""

    base: Blocks
    head: Blocks
    seconds: float


Pool = Mapping[str, Sequence[Launch]]
"""Launches of each cell with identical sides, in the order they were measured in."""


@dataclass(frozen=True)
class ReplayOutcome:
    """A decision, and the seconds that the measurements of each cell took."""

    decision: Decision
    seconds: Mapping[str, float]

    def called_slower(self) -> tuple[str, ...]:
        """The cells that it called slower."""
        return tuple(v.cell for v in self.decision.verdicts if v.status == "slower")


def replay(
    pool: Pool,
    settings: ComparisonSettings,
    order: random.Random,
    slowdowns: Mapping[str, float] | None = None,
) -> ReplayOutcome:
    """Measure, find suspects, measure them again and decide, on launches drawn from ``pool``.

    ``slowdowns``: the part of 1 by which HEAD's times are made longer, by cell.
    """
    slow = slowdowns or {}
    drawn = {cell: _drawn(launches, slow.get(cell, 0.0), order) for cell, launches in pool.items()}
    first = {cell: _measured(cell, launches, settings) for cell, launches in drawn.items()}
    seconds = {cell: spent for cell, (_, spent) in first.items()}
    speeds = {cell: speed for cell, (speed, _) in first.items()}
    again = {}
    for cell in suspects([*speeds.values()], settings.tolerances):
        again[cell], more = _measured(cell, drawn[cell], settings)
        seconds[cell] += more
    evidences = [
        CellEvidence(cell, speed=speed, again=again.get(cell)) for cell, speed in speeds.items()
    ]
    return ReplayOutcome(decide(evidences, settings.tolerances), seconds)


def _drawn(launches: Sequence[Launch], slowdown: float, order: random.Random) -> Iterator[Launch]:
    """Launches from a random place on, cyclically; sides swapped or not, at random."""
    start, swapped = order.randrange(len(launches)), order.random() < 0.5
    while True:
        launch = launches[start % len(launches)]
        sides = (launch.head, launch.base) if swapped else (launch.base, launch.head)
        yield Launch(sides[0], longer(sides[1], slowdown), launch.seconds)
        start += 1


def longer(blocks: Blocks, slowdown: float) -> Blocks:
    """Every time longer by the part ``slowdown`` of itself."""
    return tuple(tuple(t * (1 + slowdown) for t in block) for block in blocks)


def _measured(
    cell: str, launches: Iterator[Launch], settings: ComparisonSettings
) -> tuple[SpeedEvidence, float]:
    """The speed of a cell by as many launches as a measurement takes, and the seconds they took."""
    budget, taken, spent = settings.budget, list[Launch](), 0.0
    for launch in launches:
        taken.append(launch)
        spent += launch.seconds
        if len(taken) < budget.fewest:
            continue
        sides: list[Launches] = [[each.base for each in taken], [each.head for each in taken]]
        used_up = spent + launch.seconds > budget.longest or len(taken) == budget.most
        if used_up or narrow(sides):
            break
    return SpeedEvidence(cell, [e.base for e in taken], [e.head for e in taken]), spent


def summary(times: Mapping[str, Launches]) -> Summary:
    """What pytest-benchmark keeps of these times of one side of a suite."""
    return {cell: _fields(launches) for cell, launches in times.items()}


def slowed_summary(run: Summary, cell: str, slowdown: float) -> Summary:
    """The run with every time of ``cell`` longer by the part ``slowdown`` of itself."""
    slower = {field: seconds * (1 + slowdown) for field, seconds in run[cell].items()}
    return {**run, cell: slower}


def failures(base: Summary, head: Summary, field: str) -> tuple[str, ...]:
    """Cells of ``head`` that fail ``FIELD:5%`` against ``base``, a run of another time."""
    check = parse_compare_fail(f"{field}:{THRESHOLD}")
    return tuple(cell for cell in base if check.fails(head[cell], base[cell]))


def _fields(launches: Launches) -> dict[str, float]:
    stats = Stats()
    for blocks in launches:
        for block in blocks:
            for seconds in block:
                stats.update(seconds)
    return {field: float(getattr(stats, field)) for field in FIELDS}
