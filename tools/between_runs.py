"""How far runs of identical code differ on this machine, and how often a threshold errs.

    for i in 1 2 3 4 5 6; do fqbench run --out runs/$i; sleep 300; done
    python tools/between_runs.py runs/*/results.json

For each cell the standard deviation between runs: of its median, its shortest time, its fastest
rounds in units of its reference kernel, and of FP32 over INT8; below, the root mean square over
cells, and of all pairs of runs the share in which a cell seems slower by more than 5 %.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

from fqbench.errors import UsageError
from fqbench.gate.records import StoredResults
from fqbench.gate.stored import figures
from fqbench.gate.stored.comparability import differences
from fqbench.gate.stored.figures import Figures
from fqbench.gate.stored.files import read_stored

THRESHOLD = math.log(1.05)


def _medians(side: StoredResults, cell: str) -> Figures | None:
    found = figures.median_ms(side, cell)
    return Figures((math.log(found),)) if found is not None else None


FIGURES: dict[str, Callable[[StoredResults, str], Figures | None]] = {
    "median": _medians,
    "shortest": figures.shortest_times,
    "in kernels": figures.kernel_units,
    "ratio": figures.speed_ratios,
}


def main(paths: Sequence[str]) -> None:
    sides = [read_stored(Path(path)) for path in paths]
    if len(sides) < 3:
        raise UsageError("it takes three runs or more to tell how far they differ")
    if found := [each for side in sides[1:] for each in differences(sides[0], side)]:
        raise UsageError(f"the runs are not of one machine and data: {'; '.join(found)}")
    cells = [row.cell for row in sides[0].runs[0].rows]
    width = max(map(len, cells))
    print(f"{len(sides)} runs; standard deviation between runs, %")
    print(" " * width, *(f"{name:>10}" for name in FIGURES))
    logs = {
        name: {cell: _logs(sides, cell, find) for cell in cells} for name, find in FIGURES.items()
    }
    for cell in cells:
        print(f"{cell:{width}}", *(_spread(logs[name][cell]) for name in FIGURES))
    known = {name: [each for each in logs[name].values() if each] for name in FIGURES}
    print(f"{'root mean square':{width}}", *(_typical(known[name]) for name in FIGURES))
    print(f"{'false alarms at 5 %':{width}}", *(_alarms(known[name]) for name in FIGURES))


def _logs(
    sides: Sequence[StoredResults], cell: str, find: Callable[[StoredResults, str], Figures | None]
) -> list[float]:
    """Of each run; empty where one has none."""
    found = [find(side, cell) for side in sides]
    return [each.logs[0] for each in found if each is not None] if all(found) else []


def _spread(logs: Sequence[float]) -> str:
    return f"{100 * statistics.stdev(logs):10.2f}" if logs else f"{'-':>10}"


def _typical(known: Sequence[Sequence[float]]) -> str:
    if not known:
        return f"{'-':>10}"
    squares = [statistics.variance(logs) for logs in known]
    return f"{100 * math.sqrt(statistics.fmean(squares)):10.2f}"


def _alarms(known: Sequence[Sequence[float]]) -> str:
    """Of ordered pairs of runs, those with any cell beyond the threshold."""
    if not known:
        return f"{'-':>10}"
    pairs = list(permutations(range(len(known[0])), 2))
    wrong = sum(any(logs[b] - logs[a] > THRESHOLD for logs in known) for a, b in pairs)
    return f"{100 * wrong / len(pairs):10.0f}"


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UsageError as error:
        sys.exit(f"between_runs: {error}")
