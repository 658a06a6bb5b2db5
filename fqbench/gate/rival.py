"""The same recorded times, judged by pytest-benchmark's own ``--benchmark-compare-fail``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import parse_compare_fail

from fqbench.gate.replay import longer
from fqbench.measure.stats import Launches

FIELDS = ("mean", "median", "min")

Run = Mapping[str, tuple[Launches, Launches]]
"""Times of BASE and HEAD by cell, of one suite."""


def failures(base: Run, head: Run, field: str, slowdowns: Mapping[str, float]) -> tuple[str, ...]:
    """Cells of ``head`` that fail ``FIELD:5%`` against ``base``, two runs one after the other.

    Of ``base`` the times of BASE are taken, of ``head`` those of HEAD, made longer by
    ``slowdowns``.
    """
    check = parse_compare_fail(f"{field}:5%")
    found = []
    for cell, (before, _) in base.items():
        after = [longer(blocks, slowdowns.get(cell, 0.0)) for blocks in head[cell][1]]
        if check.fails(_stats(after).as_dict(), _stats(before).as_dict()):
            found.append(cell)
    return tuple(found)


def pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Every run with every other, in the order they were measured in."""
    return list(itertools.combinations(runs, 2))


def _stats(launches: Launches) -> Any:
    stats = Stats()
    for blocks in launches:
        for block in blocks:
            for seconds in block:
                stats.update(seconds)
    return stats
