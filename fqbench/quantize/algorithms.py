"""From a tensor's histogram to the range to represent in 8 bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fqbench.quantize import thresholds
from fqbench.quantize.affine import INT8_MAX, UINT8_LEVELS
from fqbench.quantize.code_errors import CodeErrors, Function, Values
from fqbench.quantize.histogram import TensorHistogram

Algorithm = Literal["search", "hist", "avg", "abs_max", "KL", "mse", "emd", "percentile"]

SHRINKING = np.geomspace(1.0, 0.05, 41)
"""Parts of the full range that a search tries."""
SEARCH_PASSES = 2
"""How often each end is searched, given the other."""
EXTREME = 700.0
"""Beyond, exp of float64 overflows."""
OUTLIER, FEWEST_USUAL = 4.0, 8
"""An image whose largest magnitude is so many times the median one's is an outlier, among so many
images at least."""


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


def hard_swish(values: Values) -> Values:
    """x * min(max(x + 3, 0), 6) / 6."""
    return values * np.clip(values + 3.0, 0.0, 6.0) / 6.0


def find_range(
    histogram: TensorHistogram,
    algorithm: Algorithm = "search",
    activation: Function = identity,
    percent: float = 99.99,
) -> Range:
    """The range that ``algorithm`` finds for a tensor; all 0 for a tensor of zeros or unseen.

    ``search`` is ``search_mse_range``. The others find a largest magnitude, and the range ends
    there or where the values end: ``percentile`` that of ``percent`` of the magnitudes, the rest
    what PaddleSlim finds by these names, see ``thresholds``. ``activation``, what the next operator
    computes from the values, matters to ``search`` alone.
    """
    if histogram.amax == 0.0:
        return Range(0.0, 0.0, 0.0)
    if algorithm == "search":
        return search_mse_range(histogram, activation, most=usual_amax(histogram.image_amax))
    if algorithm == "percentile":
        amax = thresholds.percentile(histogram, percent)
    else:
        amax = thresholds.BY_NAME[algorithm](histogram)
    low, high = max(-amax, min(histogram.low, 0.0)), min(amax, max(histogram.high, 0.0))
    return Range(low, high, amax)


def usual_amax(image_amax: Sequence[float]) -> float:
    """The largest magnitude of images that are no outliers: beyond ``OUTLIER`` of the median one.

    One image that a network does not know how to read may hold values a hundred times as large as
    any other. Its squared error would decide the range of all, and what is answered for it is
    nothing either way. Infinite where there is none, or too few images tell.
    """
    if len(image_amax) < FEWEST_USUAL:
        return math.inf
    most = OUTLIER * float(np.median(image_amax))
    usual = [value for value in image_amax if value <= most]
    return math.inf if len(usual) == len(image_amax) or most == 0.0 else max(usual)


def search_mse_range(
    histogram: TensorHistogram,
    activation: Function = identity,
    clipping: float = 1.0,
    most: float = math.inf,
) -> Range:
    """The range of least mean squared error of ``activation`` applied to the rounded values.

    Clipping errors count ``clipping`` times: unlike rounding errors they all have one sign, and do
    not compensate each other in what reads the tensor.

    Values of larger magnitude than ``most`` do not count.

    Both ends are searched alternately among ``SHRINKING`` parts of what occurred, so that of ranges
    that do equally well the widest is found.
    """
    if histogram.amax == 0.0:
        return Range(0.0, 0.0, 0.0)
    errors = CodeErrors(histogram, activation, most)
    least, largest = max(histogram.low, -most), min(histogram.high, most)
    lows, highs = min(least, 0.0) * SHRINKING, max(largest, 0.0) * SHRINKING
    low, high = lows[:1], highs[:1]
    for _ in range(SEARCH_PASSES):
        before = low
        if highs[0] > 0.0:
            high = highs[[np.argmin(_squared(errors, low, highs, clipping))]]
        if lows[0] < 0.0:
            low = lows[[np.argmin(_squared(errors, lows, high, clipping))]]
        if low == before:
            break
    amaxes = min(histogram.amax, most) * SHRINKING
    lowest = np.full(amaxes.shape, -INT8_MAX)
    amax_errors = errors.squared(amaxes / INT8_MAX, lowest, 2 * INT8_MAX + 1, clipping)
    return Range(float(low[0]), float(high[0]), float(amaxes[np.argmin(amax_errors)]))


def _squared(errors: CodeErrors, low: Values, high: Values, clipping: float) -> Values:
    """Squared error of each range, one end of which may be the same for all."""
    scales = (high - low) / UINT8_LEVELS
    return errors.squared(scales, -np.rint(-low / scales), UINT8_LEVELS + 1, clipping)
