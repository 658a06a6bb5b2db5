"""What the gate's self-test found, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy
from rich import box
from rich.console import Console
from rich.table import Table

from fqbench.counting import counted, verb
from fqbench.gate.selftest.replay import THRESHOLD
from fqbench.gate.selftest.trial import Count, Trial

SCHEMA = 1

CONFIDENCE = 0.95


def show(trial: Trial, console: Console) -> None:
    """Print a table of what was called slower, and how long measuring took."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Head made slower by")
    columns = {
        "gate, measured": trial.real,
        "gate, replayed": trial.replayed,
        **{f"{field}:{THRESHOLD}": counts for field, counts in trial.pytest_benchmark.items()},
    }
    for name in columns:
        table.add_column(name, justify="right")
    for slowdown in sorted({count.slowdown for count in trial.replayed}):
        label = f"{100 * slowdown:g} %" if slowdown else "0 % (false alarms)"
        texts = [_text(c, slowdown, certain=c is trial.real) for c in columns.values()]
        table.add_row(label, *texts)
    console.print(table)
    for line in sentences(trial):
        console.print(line, markup=False, highlight=False)


def sentences(trial: Trial) -> tuple[str, ...]:
    """What the table's numbers are of."""
    suites = sum(count.suites for count in trial.real)
    middle, most = np.percentile(trial.seconds, (50, 100))
    cells, were = counted(len(trial.cells), "cell"), verb(suites, "was", "were")
    return (
        f"Suites of {cells} in which the slowed cell, or without one any cell, was called slower,"
        " of all suites of that kind; in brackets: percent, of measured ones with 95 % confidence"
        " intervals.",
        f"{counted(suites, 'suite')} {were} measured. Replayed: their launches of identical sides"
        " drawn again, one cell's times made longer; these are not independent of each other.",
        f"Measuring took {middle:.0f} s a cell (median), {most:.0f} s at most.",
        "mean, median, min: pytest-benchmark's --benchmark-compare-fail, between each two of the"
        " suites of identical sides.",
    )


def _text(counts: Sequence[Count], slowdown: float, *, certain: bool) -> str:
    found = next((count for count in counts if count.slowdown == slowdown), None)
    if found is None or found.suites == 0:
        return "-"
    part = f"{100 * found.called / found.suites:.1f}"
    if certain:
        low, high = interval(found.called, found.suites)
        part += f"; {100 * low:.0f} to {100 * high:.0f}"
    return f"{found.called} of {found.suites} ({part})"


def interval(called: int, suites: int) -> tuple[float, float]:
    """Confidence interval of a probability (Clopper, Pearson, Biometrika 26, 1934)."""
    tail = (1 - CONFIDENCE) / 2
    low = float(scipy.special.betaincinv(called, suites - called + 1, tail)) if called else 0.0
    high = 1.0
    if called < suites:
        high = float(scipy.special.betaincinv(called + 1, suites - called, 1 - tail))
    return low, high


def figures(trial: Trial) -> Mapping[str, object]:
    """The same as a JSON object."""
    return {
        "schema": SCHEMA,
        "cells": list(trial.cells),
        "measured": [vars(count) for count in trial.real],
        "replayed": [vars(count) for count in trial.replayed],
        "pytest_benchmark": {
            field: [vars(count) for count in counts]
            for field, counts in trial.pytest_benchmark.items()
        },
        "seconds_a_cell": {
            "median": float(np.median(trial.seconds)),
            "max": float(max(trial.seconds)),
        },
    }
