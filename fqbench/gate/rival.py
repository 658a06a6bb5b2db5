"""The same recorded times, judged by pytest-benchmark's own ``--benchmark-compare-fail``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import parse_compare_fail

from fqbench.measure.stats import Launches

FIELDS = ("mean", "median", "min")
THRESHOLD = "5%"

Run = Mapping[str, tuple[Launches, Launches]]
"""Times of BASE and HEAD by cell, of one suite."""

Summary = Mapping[str, Mapping[str, float]]
"""Each of ``FIELDS`` by cell, in seconds."""


def summaries(runs: Sequence[Run], side: int) -> list[Summary]:
    """What pytest-benchmark keeps of a side (0 BASE, 1 HEAD) of each run."""
    return [{cell: _summary(sides[side]) for cell, sides in run.items()} for run in runs]


def failures(base: Summary, head: Summary, field: str) -> tuple[str, ...]:
    """Cells of ``head`` that fail ``FIELD:5%`` against ``base``, a run of another time."""
    check = parse_compare_fail(f"{field}:{THRESHOLD}")
    return tuple(cell for cell in base if check.fails(head[cell], base[cell]))


def slowed(summary: Summary, cell: str, slowdown: float) -> Summary:
    """The summary with every time of ``cell`` longer by the part ``slowdown`` of itself."""
    longer = {field: seconds * (1 + slowdown) for field, seconds in summary[cell].items()}
    return {**summary, cell: longer}


def pairs(count: int) -> list[tuple[int, int]]:
    """Every run with every later one, by their numbers."""
    return list(itertools.combinations(range(count), 2))


def _summary(launches: Launches) -> dict[str, float]:
    stats = Stats()
    for blocks in launches:
        for block in blocks:
            for seconds in block:
                stats.update(seconds)
    return {field: float(getattr(stats, field)) for field in FIELDS}
