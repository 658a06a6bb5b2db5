"""Errors of rounding a histogram to evenly spaced codes, for many spacings at once."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fqbench.quantize.histogram import TensorHistogram

Values = NDArray[np.float64]
Function = Callable[[Values], Values]


class CodeErrors:
    """A tensor's values, rounded to ``codes`` reals: ``scale`` times ``lowest``, the next, ...

    What lies beyond goes to the nearest code. Each method takes n spacings, ``scales`` and
    ``lowest`` [n], and compares ``activation`` of the values with ``activation`` of the rounded
    ones.

    Values that share a code are adjacent: prefix sums describe them, so a spacing takes one look-up
    per code, not one operation per value. Values of larger magnitude than ``most`` do not count.
    """

    def __init__(
        self, histogram: TensorHistogram, activation: Function, most: float = math.inf
    ) -> None:
        self._values, counts = histogram.occupied()
        self._counts = np.where(np.abs(self._values) <= most, counts, 0.0)
        self._places = histogram.search(self._values)
        self._activation = activation
        self._wanted = activation(self._values)
        sums = np.cumsum([self._counts, self._counts * self._wanted], axis=1)
        self._below = np.concatenate([np.zeros((2, 1)), sums], axis=1)

    def squared(self, scales: Values, lowest: Values, codes: int, clipping: float = 1.0) -> Values:
        """Sum of squared differences, for each spacing; those of what lies beyond the codes count
        ``clipping`` times."""
        reals, count, first = self._shared(scales, lowest, codes)
        whole = self._counts @ (self._wanted * self._wanted)
        found = whole - (reals * (2.0 * first - reals * count)).sum(axis=1)
        if clipping != 1.0:
            found = found + (clipping - 1.0) * self._clipped(scales, lowest, codes)
        return np.asarray(found)

    def _clipped(self, scales: Values, lowest: Values, codes: int) -> Values:
        """The part of ``squared`` that lies more than half a step beyond the codes."""
        squares = np.concatenate([[0.0], np.cumsum(self._counts * self._wanted**2)])
        sums = np.stack([*self._below, squares])
        low, high = lowest * scales, (lowest + (codes - 1)) * scales
        below = sums[:, self._places(low - scales / 2)]
        above = sums[:, -1:] - sums[:, self._places(high + scales / 2)]
        ends = ((self._activation(low), below), (self._activation(high), above))
        return np.asarray(sum(end**2 * n - 2.0 * end * s + q for end, (n, s, q) in ends))

    def moments(self, scales: Values, lowest: Values, codes: int) -> Values:
        """Difference of the means plus difference of the standard deviations."""
        reals, count, _ = self._shared(scales, lowest, codes)
        mean, deviation = _moments(reals, count)
        wanted_mean, wanted_deviation = _moments(self._wanted, self._counts)
        return np.asarray(np.abs(mean - wanted_mean) + np.abs(deviation - wanted_deviation))

    def _shared(self, scales: Values, lowest: Values, codes: int) -> tuple[Values, Values, Values]:
        """Per code [n, codes]: ``activation`` of its value, count and sum of its values."""
        numbers = lowest[:, None] + np.arange(codes)
        places = np.zeros((len(scales), codes + 1), np.intp)
        places[:, 1:-1] = self._places((numbers[:, 1:] - 0.5) * scales[:, None])
        places[:, -1] = len(self._values)
        count, first = (below[places[:, 1:]] - below[places[:, :-1]] for below in self._below)
        return self._activation(numbers * scales[:, None]), count, first


def _moments(values: Values, counts: Values) -> tuple[Values, Values]:
    """Mean and standard deviation over the last axis."""
    shares = counts / counts.sum(axis=-1, keepdims=True)
    mean = (shares * values).sum(axis=-1, keepdims=True)
    return mean[..., 0], np.sqrt((shares * (values - mean) ** 2).sum(axis=-1))
