"""What a cell takes when nothing disturbs it: the part of its times that another run finds again.

A machine that others use too makes most inferences slower, today more than tomorrow, and some of
them not at all. Medians of runs of identical code differed by 17 % (standard deviation), the same
medians in units of a kernel that ran in the same rounds by 11 %, the fastest rounds by 4 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fqbench.measure.stats import Interval, Launches

QUANTILE = 0.1
"""Of the rounds' fastest inferences: low enough to be undisturbed, and no single lucky one."""

RESAMPLES = 200
NORMAL_95 = 1.96
"""Standard errors that a 95 % interval reaches to either side."""


def fastest_ratio(times: Launches, reference: Launches) -> Interval:
    """How long ``times`` are in units of ``reference``, both in their fastest rounds.

    Each side is the ``QUANTILE`` of its rounds' shortest times. Launch ``i`` of both sides is the
    same one; the interval is that of a bootstrap over launches, and of no width where there is only
    one. Raises ValueError where the numbers of launches differ or a side has no times.
    """
    if len(times) != len(reference):
        raise ValueError(f"{len(times)} launches against {len(reference)}")
    sides = _shortest(times), _shortest(reference)
    value = _log_ratio(*sides)
    random, count = np.random.default_rng(0), len(times)
    drawn = random.integers(0, count, (RESAMPLES, count))
    logs = [_log_ratio(*([side[i] for i in draw] for side in sides)) for draw in drawn]
    reach = NORMAL_95 * float(np.std(logs, ddof=1))
    return Interval(math.exp(value), math.exp(value - reach), math.exp(value + reach))


def _shortest(launches: Launches) -> list[NDArray[np.float64]]:
    """The shortest time of each round, by launch."""
    if not launches or not all(launches):
        raise ValueError("no times were recorded")
    return [np.array([min(block) for block in rounds]) for rounds in launches]


def _log_ratio(
    times: Sequence[NDArray[np.float64]], reference: Sequence[NDArray[np.float64]]
) -> float:
    fast = [np.quantile(np.concatenate(side), QUANTILE) for side in (times, reference)]
    return float(np.log(fast[0] / fast[1]))
