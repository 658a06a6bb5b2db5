"""What was measured of a cell on both sides, and what it says by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fqbench.measure.stats import Interval, Launches


@dataclass(frozen=True)
class Tolerances:
    """What counts as worse.

    ``slowdown`` is relative and ``absolute_ms`` in milliseconds: slower is what exceeds both.
    ``points`` is a loss of accuracy in points of 0 to 100. ``alpha`` is the chance that anything
    at all is called worse on identical code, ``suspect_alpha`` the share of false alarms among
    the cells that are measured again.
    """

    slowdown: float = 0.02
    absolute_ms: float = 0.01
    points: float = 0.1
    alpha: float = 0.01
    suspect_alpha: float = 0.05


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
    (``measure.accuracy.resampled``). Whether a side's INT8 stays within its margin is None where
    it has none.
    """

    cell: str
    base: NDArray[np.float64]
    head: NDArray[np.float64]
    base_within_margin: bool | None = None
    head_within_margin: bool | None = None


def problem(evidence: SpeedEvidence) -> str | None:
    """Why the times of both sides cannot be compared, in a few words; None where they can.

    A slow-down is one of the program only if it shows in more than one start of it: fewer than
    ``stats.FEWEST_LAUNCHES`` launches prove nothing.
    """
    for side, launches in (("BASE", evidence.base), ("HEAD", evidence.head)):
        if launches is None:
            return f"{side} was not timed"
    raise NotImplementedError


def slowdown(evidence: SpeedEvidence) -> Interval:
    """How many times as long HEAD takes as BASE: 1.05 is 5 % slower.

    Raises ValueError where ``problem`` tells one.
    """
    raise NotImplementedError


def p_slower(evidence: SpeedEvidence, tolerances: Tolerances) -> float:
    """p-value (0 to 1) of the hypothesis that HEAD is not slower by more than is tolerated."""
    raise NotImplementedError


def p_faster(evidence: SpeedEvidence, tolerances: Tolerances) -> float:
    """p-value (0 to 1) of the hypothesis that BASE is not slower by more than is tolerated."""
    raise NotImplementedError


def loss(evidence: AccuracyEvidence) -> Interval:
    """Points that HEAD lost against BASE, with the interval of the paired bootstrap."""
    raise NotImplementedError


def p_less_accurate(evidence: AccuracyEvidence, tolerances: Tolerances) -> float:
    """p-value (0 to 1) of the hypothesis that HEAD lost at most ``tolerances.points``."""
    raise NotImplementedError
