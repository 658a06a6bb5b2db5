"""What was measured of one cell on both sides, and the tests of it by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from fqbench.gate.records import Row, Run, StoredResults
from fqbench.measure import accuracy, stats
from fqbench.measure.stats import FEWEST_LAUNCHES, Interval, Launches

FEWEST_POINTS = 3
"""Accuracies that a comparison takes: on all images, and on two resamples for a spread."""


@dataclass(frozen=True)
class Tolerances:
    """What counts as worse.

    ``slowdown`` is relative and ``absolute_ms`` in milliseconds: slower is what exceeds both.
    ``points`` is a loss of accuracy in points of 0 to 100. ``alpha`` is the chance that anything
    at all is called worse on identical code.
    """

    slowdown: float = 0.02
    absolute_ms: float = 0.005
    points: float = 0.1
    alpha: float = 0.01


@dataclass(frozen=True)
class SpeedEvidence:
    """Times of a cell in seconds, launches x rounds x times; None where a side has none.

    Launch ``i`` and its rounds are the same ones on both sides, which were timed interleaved.
    """

    cell: str
    base: Launches | None
    head: Launches | None


@dataclass(frozen=True)
class AccuracyEvidence:
    """Accuracies of a cell in points, [1 + resamples] on each side.

    The first is on all images, the others on bootstrap resamples, the same on both sides
    (``measure.accuracy.resampled``). Raises ValueError where the sides differ in length or have
    fewer than two resamples.
    """

    cell: str
    base: NDArray[np.float64]
    head: NDArray[np.float64]

    def __post_init__(self) -> None:
        if (
            self.base.shape != self.head.shape
            or self.base.ndim != 1
            or self.base.size < FEWEST_POINTS
        ):
            raise ValueError(
                f"accuracies of shape {self.base.shape} against {self.head.shape}, expected one"
                " on all images and two resamples or more on both sides"
            )


def problem(evidence: SpeedEvidence) -> str | None:
    """Why the times of both sides cannot be compared, in a few words; None where they can.

    A slow-down is the program's own only if it shows in more than one start of it: fewer than
    ``FEWEST_LAUNCHES`` launches prove nothing.
    """
    for side, launches in (("BASE", evidence.base), ("HEAD", evidence.head)):
        if launches is None:
            return f"{side} was not timed"
    try:
        slowdown(evidence)
    except ValueError as error:
        return f"times cannot be compared: {error}"
    count = len(evidence.base or ())
    if count < FEWEST_LAUNCHES:
        return f"{count} of the {FEWEST_LAUNCHES} launches that a comparison needs at least"
    return None


def slowdown(evidence: SpeedEvidence) -> Interval:
    """How many times as long HEAD takes as BASE: 1.05 is 5 % slower.

    Raises ValueError where times are missing, unusable or not those of the same launches.
    """
    return stats.ratio(evidence.head or (), evidence.base or ())


def tolerated(evidence: SpeedEvidence, tolerances: Tolerances) -> float:
    """The larger of both tolerances of BASE's time, relative to it. Raises as ``slowdown``."""
    base_ms = stats.latency(evidence.base or ()).p50.value
    return max(tolerances.slowdown, tolerances.absolute_ms / base_ms)


def p_slower(evidence: SpeedEvidence, tolerances: Tolerances) -> float:
    """p-value (0 to 1) of the hypothesis that HEAD is not slower by more than is tolerated.

    Raises ValueError as ``slowdown``.
    """
    tolerance = tolerated(evidence, tolerances)
    return stats.excess_p(evidence.base or (), evidence.head or (), tolerance)


def p_faster(evidence: SpeedEvidence, tolerances: Tolerances) -> float:
    """p-value (0 to 1) of the hypothesis that BASE is not slower by more than is tolerated.

    Raises ValueError as ``slowdown``.
    """
    return p_slower(SpeedEvidence(evidence.cell, evidence.head, evidence.base), tolerances)


def loss(evidence: AccuracyEvidence) -> Interval:
    """Points that HEAD lost against BASE, with the interval of the paired bootstrap."""
    return accuracy.lost(evidence.base, evidence.head)


def p_less_accurate(evidence: AccuracyEvidence, tolerances: Tolerances) -> float:
    """p-value (0 to 1) of the hypothesis that HEAD lost at most ``tolerances.points``.

    Normal approximation with the bootstrap's standard error (Efron, Tibshirani 1993, chapter 13).
    """
    losses = evidence.base - evidence.head
    excess, error = losses[0] - tolerances.points, np.std(losses[1:], ddof=1)
    if error == 0:
        return 0.0 if excess > 0 else 1.0
    return float(scipy.special.ndtr(-excess / error))


def find_row(results: StoredResults, cell: str) -> Row | None:
    """The cell's row: of the last run in which it ran, else of the last that has it."""
    found = [run.by_cell[cell] for run in results.runs if cell in run.by_cell]
    measured = (row for row in reversed(found) if was_measured(row))
    return next(measured, found[-1] if found else None)


def was_measured(row: Row) -> bool:
    """Whether the row has a time or an accuracy."""
    return row.status == "ok" and (row.latency_ms is not None or row.accuracy is not None)


def was_timed(run: Run, cell: str) -> bool:
    """Whether the run has a time of the cell."""
    row = run.by_cell.get(cell)
    return row is not None and row.status == "ok" and row.latency_ms is not None


def timed_rows(results: StoredResults, cell: str) -> Iterator[Row]:
    """The cell's rows of the runs that timed it."""
    return (run.by_cell[cell] for run in results.runs if was_timed(run, cell))


def same_images(base: Row, head: Row) -> bool:
    """Whether accuracies are of the same images and labels, by their digests."""
    return all(
        base.hashes.get(key) is not None and base.hashes.get(key) == head.hashes.get(key)
        for key in ("images", "truth")
    )


def accuracy_evidence(
    base: StoredResults, head: StoredResults, cell: str
) -> AccuracyEvidence | None:
    """Accuracies on the same images and resamples of them; None where a side lacks them."""
    ours, theirs = find_row(base, cell), find_row(head, cell)
    before, after = (_accuracies(side, cell) for side in (base, head))
    if ours is None or theirs is None or not same_images(ours, theirs):
        return None
    if len(before) < FEWEST_POINTS or len(before) != len(after):
        return None
    return AccuracyEvidence(cell, np.asarray(before, np.float64), np.asarray(after, np.float64))


def left_margin(base: StoredResults, head: StoredResults, cell: str) -> bool:
    """Whether HEAD is outside of the margin, and BASE was not, or not known to be."""
    ours, theirs = find_row(base, cell), find_row(head, cell)
    if ours is None or theirs is None:
        return False
    return ours.against_margin in ("inside", "not known") and theirs.against_margin == "outside"


def same_files(base: StoredResults, head: StoredResults, cell: str) -> bool:
    """Whether the runtime loaded the same files on both sides."""
    rows = [find_row(side, cell) for side in (base, head)]
    digests = [row.hashes.get("files") if row is not None else None for row in rows]
    return digests[0] is not None and digests[0] == digests[1]


def _accuracies(results: StoredResults, cell: str) -> tuple[float, ...]:
    """Of the first run that kept them: the same code gives the same answers in each."""
    kept = (run.samples.accuracies.get(cell, ()) for run in results.runs)
    return next(filter(None, kept), ())
