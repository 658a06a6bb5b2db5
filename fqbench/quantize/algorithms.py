"""From a tensor's statistics to the range that eight bits shall represent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fqbench.quantize import thresholds
from fqbench.quantize.code_errors import CodeErrors, Function, Values
from fqbench.quantize.statistics import Statistics

Algorithm = Literal["search", "hist", "avg", "abs_max", "KL", "mse", "emd", "percentile"]

LEVELS = 255
"""Steps between the least and the largest of 256 codes."""
SYMMETRIC_MAX = 127
SHRINKING = np.geomspace(1.0, 0.05, 41)
"""Parts of the full range that a search tries."""
TURNS = 2
EXTREME = 700.0
"""Beyond, exp of float64 overflows."""


@dataclass(frozen=True)
class Range:
    """Least and largest value to represent, and the largest magnitude for symmetric codes.

    Zero lies between ``low`` and ``high``. ``amax`` is what a backend with symmetric codes takes.
    """

    low: float
    high: float
    amax: float


def identity(values: Values) -> Values:
    """The values themselves."""
    return values


def silu(values: Values) -> Values:
    """x * sigmoid(x)."""
    return values / (1.0 + np.exp(-np.clip(values, -EXTREME, EXTREME)))


def calibrated(
    statistics: Statistics,
    algorithm: Algorithm = "search",
    behind: Function = identity,
    percent: float = 99.99,
) -> Range:
    """The range that ``algorithm`` finds for a tensor; all 0 for a tensor of zeros or unseen.

    ``search`` is ``searched``. The others find a largest magnitude, and the range ends there or
    where the values end: ``percentile`` that of ``percent`` of the magnitudes, the rest what
    PaddleSlim finds by these names, see ``thresholds``. ``behind``, what the next operator makes
    of the values, matters to ``search`` alone.
    """
    if statistics.amax == 0.0:
        return Range(0.0, 0.0, 0.0)
    if algorithm == "search":
        return searched(statistics, behind)
    if algorithm == "percentile":
        amax = thresholds.percentile(statistics, percent)
    else:
        amax = thresholds.BY_NAME[algorithm](statistics)
    low, high = max(-amax, min(statistics.low, 0.0)), min(amax, max(statistics.high, 0.0))
    return Range(low, high, amax)


def searched(statistics: Statistics, behind: Function = identity, clipping: float = 1.0) -> Range:
    """The range of least mean squared error of what ``behind`` makes of the rounded values.

    Errors of what is cut off count ``clipping`` times: unlike those of rounding they all have one
    sign, and do not make up for each other in what reads the tensor.

    Both ends are searched in turns among ``SHRINKING`` parts of what occurred, so that of ranges
    that do equally well the widest is found.
    """
    if statistics.amax == 0.0:
        return Range(0.0, 0.0, 0.0)
    errors = CodeErrors(statistics, behind)
    lows, highs = min(statistics.low, 0.0) * SHRINKING, max(statistics.high, 0.0) * SHRINKING
    low, high = lows[:1], highs[:1]
    for _ in range(TURNS):
        before = low
        if highs[0] > 0.0:
            high = highs[[np.argmin(_squared(errors, low, highs, clipping))]]
        if lows[0] < 0.0:
            low = lows[[np.argmin(_squared(errors, lows, high, clipping))]]
        if low == before:
            break
    amaxes = statistics.amax * SHRINKING
    lowest = np.full(amaxes.shape, -SYMMETRIC_MAX)
    amax_errors = errors.squared(amaxes / SYMMETRIC_MAX, lowest, 2 * SYMMETRIC_MAX + 1, clipping)
    return Range(float(low[0]), float(high[0]), float(amaxes[np.argmin(amax_errors)]))


def _squared(errors: CodeErrors, low: Values, high: Values, clipping: float) -> Values:
    """Squared error of each range, one end of which may be the same for all."""
    scales = (high - low) / LEVELS
    return errors.squared(scales, -np.rint(-low / scales), LEVELS + 1, clipping)
