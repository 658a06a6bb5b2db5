"""How often changes are marked in a history in which nothing changes, and how soon true ones are.

    python -m tools.history_false_alarms [RUN_DIR ...] [--points N] [--seed N]

Series of identical code are drawn with noise as benchmarks have it: white, with heavy tails, with
two modes, drifting, and staying in one of two modes for about 20 runs. Of finished runs (folders
with ``samples.json``) real launches are drawn too: a value is then the median of six launches of
one of their cells, in units of the reference kernel beside it, each value of another run.

*At once*: marks in a whole series. *Run by run*: marks that stood in a series at any time, had one
looked after every run. Both per 1000 runs. Then true shifts: how many runs after it a shift is
marked first, in noise of 1 % and of 2 % (standard deviation between runs).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fqbench.gate.stored.files import read_stored
from fqbench.history.changes import FEWEST, find_changes
from fqbench.measure.reference import kernel_of

Values = NDArray[np.float64]
Random = np.random.Generator
Noise = Callable[[Random, int], Values]

LENGTHS = (25, 50, 100, 400)
LAUNCHES = 6
SHIFTS = (0.02, 0.05, 0.10)
WAITS = (5, 10, 20)
LONGEST = 50
"""Runs after a shift that are waited for it."""


def white(random: Random, count: int) -> Values:
    return random.standard_normal(count)


def heavy_tails(random: Random, count: int) -> Values:
    return random.standard_t(2.5, count)


def skewed(random: Random, count: int) -> Values:
    return np.exp(random.standard_normal(count))


def two_modes(random: Random, count: int) -> Values:
    """Three of ten runs are slower by eight standard deviations."""
    return 4 * (random.random(count) < 0.3) + 0.5 * random.standard_normal(count)


def drift(random: Random, count: int, memory: float, share: float) -> Values:
    """A first-order autoregression that makes ``share`` of the variance, from run to run."""
    steps = random.standard_normal(count + 200) * math.sqrt(1 - memory**2)
    found = np.zeros(count + 200)
    for index in range(1, count + 200):
        found[index] = memory * found[index - 1] + steps[index]
    rest = math.sqrt(1 - share) * random.standard_normal(count)
    return math.sqrt(share) * found[200:] + rest


def sticky_modes(random: Random, count: int) -> Values:
    """Stays for about 20 runs in one of two modes, four standard deviations apart."""
    flips = np.cumsum(random.random(count) < 0.05) % 2
    return 3.0 * flips + 0.7 * random.standard_normal(count)


NOISES: dict[str, Noise] = {
    "white": white,
    "heavy tails (t, 2.5)": heavy_tails,
    "skewed (log-normal)": skewed,
    "two modes": two_modes,
    "half of it drifts (0.5)": partial(drift, memory=0.5, share=0.5),
    "a fifth drifts (0.9)": partial(drift, memory=0.9, share=0.2),
    "all of it drifts (0.8)": partial(drift, memory=0.8, share=1.0),
    "half of it drifts (0.95)": partial(drift, memory=0.95, share=0.5),
    "stays in one of two modes": sticky_modes,
}


def real(folders: Sequence[Path]) -> Noise:
    """Values of launches of finished runs; nothing is known of how those depend on time."""
    cells: list[Values] = []
    for folder in folders:
        for run in read_stored(folder / "results.json").runs:
            for group in run.samples.groups:
                for cell, launches in group.cells.items():
                    kernel = kernel_of(run.by_cell[cell].precision or "")
                    if kernel in group.reference and kernel is not None:
                        cells.append(_logs(launches, group.reference[kernel]))

    def noise(random: Random, count: int) -> Values:
        drawn = (cells[index] for index in random.integers(len(cells), size=count))
        return np.array([np.median(random.choice(logs, LAUNCHES)) for logs in drawn])

    return noise


def _logs(launches: Sequence, reference: Sequence) -> Values:
    """Of each launch its fastest rounds in units of the kernel's, against the cell's median."""
    pairs = zip(launches, reference, strict=True)
    found = np.array([math.log(_fast(one) / _fast(other)) for one, other in pairs])
    return found - np.median(found)


def _fast(rounds: Sequence[Sequence[float]]) -> float:
    return float(np.quantile([min(block) for block in rounds], 0.25))


def at_once(noise: Noise, random: Random, length: int, points: int) -> float:
    """Marks per 1000 runs in whole series."""
    series = max(1, points // length)
    marks = sum(len(find_changes(noise(random, length))) for _ in range(series))
    return 1000 * marks / (series * length)


def run_by_run(noise: Noise, random: Random, length: int, points: int) -> float:
    """Marks per 1000 runs that were there after any of them, each place once."""
    series, marks = max(1, points // length), 0
    for _ in range(series):
        values, known = noise(random, length), list[int]()
        for end in range(2 * FEWEST, length + 1):
            for change in find_changes(values[:end]):
                if all(abs(change - other) > FEWEST for other in known):
                    known.append(change)
        marks += len(known)
    return 1000 * marks / (series * length)


def runs_until_found(
    random: Random, before: int, shift: float, spread: float, noise: Noise
) -> float:
    """Runs after a shift until it is marked, infinite if more than ``LONGEST``."""
    values = spread * noise(random, before + LONGEST)
    values[before:] += math.log1p(shift)
    for after in range(1, LONGEST + 1):
        found = find_changes(values[: before + after])
        if any(abs(change - before) <= 2 * FEWEST for change in found):
            return after
    return math.inf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--series", type=int, default=100, help="of each shift")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    noises = dict(NOISES)
    if options.runs:
        noises["real launches"] = real(options.runs)
    _false_alarms(noises, options)
    _shifts(options)


def _false_alarms(noises: dict[str, Noise], options: argparse.Namespace) -> None:
    at = " | ".join(f"at once, {length} runs" for length in LENGTHS)
    print(f"| false alarms per 1000 runs | {at} | run by run, 100 runs |")
    print("|---|" + "---|" * (len(LENGTHS) + 1))
    for name, noise in noises.items():
        random = np.random.default_rng(options.seed)
        found = [at_once(noise, random, length, options.points) for length in LENGTHS]
        looked = run_by_run(noise, random, 100, options.points // 4)
        print(f"| {name} | {' | '.join(f'{each:.2f}' for each in (*found, looked))} |", flush=True)


def _shifts(options: argparse.Namespace) -> None:
    print()
    print(
        "| shift, noise, runs before it | median runs until found | found within 5, 10, 20 runs |"
    )
    print("|---|---|---|")
    for spread in (0.01, 0.02):
        for before in (20, 50, 100):
            for shift in SHIFTS:
                random = np.random.default_rng(options.seed)
                found = [
                    runs_until_found(random, before, shift, spread, white)
                    for _ in range(options.series)
                ]
                middle = float(np.median(found))
                median = f"more than {LONGEST}" if math.isinf(middle) else f"{middle:.0f}"
                within = ", ".join(f"{np.mean(np.array(found) <= n):.0%}" for n in WAITS)
                print(f"| {shift:.0%}, {spread:.0%}, {before} | {median} | {within} |", flush=True)


if __name__ == "__main__":
    main()
