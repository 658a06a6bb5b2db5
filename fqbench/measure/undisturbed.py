"""What a cell takes when nothing disturbs it: the part of its times that another run finds again.

A machine that others use too makes most inferences slower, today more than tomorrow, and some of
them not at all. Medians of six runs of identical code on such a machine differed by 9 to 65 %
(standard deviation), the fastest rounds by 0.1 to 4 % unless hardly any was undisturbed. A run
shows that itself: its fast rounds then differ from each other.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fqbench.measure.stats import Interval, Launches

FAST = 0.05
"""Quantile of rounds: low enough to be undisturbed, and no single lucky one."""

QUARTER = 0.25

NORMAL_95 = 1.96
"""Standard errors that a 95 % interval reaches to either side."""


def fastest_ratio(times: Launches, reference: Launches) -> Interval:
    """How long ``times`` are in units of ``reference``, both in their fastest rounds.

    A round counts by its shortest time, a side by the ``FAST`` quantile of its rounds. As the
    standard error of the ratio's logarithm stands how far the fastest quarter of ``times`` spreads:
    a rule of thumb, which held for all pairs of runs that were tried. Raises ValueError where a
    side has no times.
    """
    rounds, others = _shortest(times), _shortest(reference)
    value = math.log(np.quantile(rounds, FAST) / np.quantile(others, FAST))
    reach = NORMAL_95 * math.log(np.quantile(rounds, QUARTER) / rounds.min())
    return Interval(math.exp(value), math.exp(value - reach), math.exp(value + reach))


def _shortest(launches: Launches) -> NDArray[np.float64]:
    """The shortest time of each round."""
    found = [min(block) for rounds in launches for block in rounds if block]
    if not found:
        raise ValueError("no times were recorded")
    return np.array(found)
