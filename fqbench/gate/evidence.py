"""What was measured of a cell on both sides, and what it says by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from fqbench.measure import accuracy, stats
from fqbench.measure.stats import FEWEST_LAUNCHES, Interval, Launches


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

    Launch ``i`` and its rounds are those of both sides, timed in turns.
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
        if self.base.shape != self.head.shape or self.base.ndim != 1 or self.base.size < 3:
            raise ValueError(
                f"accuracies of shape {self.base.shape} against {self.head.shape}, expected one"
                " on all images and two resamples or more on both sides"
            )


def problem(evidence: SpeedEvidence) -> str | None:
    """Why the times of both sides cannot be compared, in a few words; None where they can.

    A slow-down is the program's only if it shows in more than one start of it: fewer than
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
    return float(special.ndtr(-excess / error))
