"""What calibration remembers of a tensor's values: a histogram that grows with them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 2**14
"""Bins over ``[-limit, limit)``: dozens a step of eight bits even where one value lies a hundred
times beyond the rest."""

SMALLEST_LIMIT = 2.0**-100
"""Of smaller values only least and largest are told apart."""

VIEWED = 2**18
"""Values of one tensor of one image that the histogram counts; of a larger tensor, evenly spread
ones. Least and largest value are of all."""

CHUNK = 2**16
"""Values that are counted at once: what is made of them stays in the cache."""


class Statistics:
    """Histogram, least, largest value and largest magnitude an image of one tensor.

    ``limit`` is a power of two above every magnitude, 0 as long as only zeros were seen. Bin ``k``
    counts the values from ``limit * (2 * k / BINS - 1)`` up to, not including, the next bin's
    first. No order of the images changes a count.
    """

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self.limit = 0.0
        self.counts: NDArray[np.int64] = np.zeros(BINS, np.int64)
        self.image_amax: list[float] = []

    def add(self, values: NDArray[np.float32]) -> None:
        """Count the tensor of one image, of any shape. Values that are not finite are left out."""
        flat = values.reshape(-1)
        low, high = float(flat.min(initial=math.inf)), float(flat.max(initial=-math.inf))
        if not math.isfinite(high - low):
            flat = flat[np.isfinite(flat)]
            if not flat.size:
                return
            low, high = float(flat.min()), float(flat.max())
        amax = max(abs(low), abs(high))
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.image_amax.append(amax)
        self._widen(amax)
        viewed = flat[:: _step(flat.size)]
        for start in range(0, viewed.size, CHUNK):
            places = _places(viewed[start : start + CHUNK], self.limit)
            self.counts += np.bincount(places, minlength=BINS)

    @property
    def amax(self) -> float:
        """Largest magnitude of all images."""
        return max(self.image_amax, default=0.0)

    @property
    def width(self) -> float:
        """Width of a bin."""
        return 2.0 * self.limit / BINS

    @property
    def centres(self) -> NDArray[np.float64]:
        """The value in the middle of each bin."""
        return (np.arange(BINS) + 0.5) * self.width - self.limit

    def occupied(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A value for each bin that is not empty, in rising order, and the bins' counts.

        It is the bin's centre; the least and the largest value and zero stand for their own bins,
        since that is where ReLU and Clip gather values.
        """
        full = np.flatnonzero(self.counts)
        values = self.centres[full]
        for value in (self.low, self.high, 0.0):
            values[full == _places(value, self.limit)] = value
        return np.clip(values, self.low, self.high), self.counts[full].astype(np.float64)

    def magnitudes(self, bins: int) -> NDArray[np.float64]:
        """Counts of the magnitudes in ``bins`` even bins from 0 to ``amax``, which is above 0.

        A bin of the histogram that lies across two of them is parted.
        """
        folded = self.counts[BINS // 2 :] + self.counts[BINS // 2 - 1 :: -1]
        below = np.concatenate([[0], np.cumsum(folded)])
        edges = np.minimum(np.arange(BINS // 2 + 1) * self.width, self.amax)
        return np.diff(np.interp(np.linspace(0.0, self.amax, bins + 1), edges, below))

    def _widen(self, amax: float) -> None:
        """Double the limit until ``amax`` lies below, two bins of the old becoming one."""
        if amax == 0.0:
            return
        # The power of two next above, also of a power of two.
        wanted = max(2.0 ** math.frexp(amax)[1], SMALLEST_LIMIT)
        if self.limit == 0.0:
            self.limit = wanted
        while self.limit < wanted:
            inner = self.counts.reshape(BINS // 2, 2).sum(axis=1)
            self.counts = np.zeros(BINS, np.int64)
            self.counts[BINS // 4 : BINS // 4 + BINS // 2] = inner
            self.limit *= 2.0


def _step(size: int) -> int:
    """The step by which at most ``VIEWED`` of ``size`` values are taken.

    It has no factor in common with the size, so it meets every channel and column in turn.
    """
    step = max(-(-size // VIEWED), 1)
    while math.gcd(step, size) > 1:
        step += 1
    return step


def _places(values: ArrayLike, limit: float) -> NDArray[np.int64]:
    """The bin of each value."""
    # Exact, the limit being a power of two: a value falls into one bin whatever the limit was.
    factor = BINS / (2.0 * limit) if limit > 0.0 else 0.0
    scaled = np.array(values, np.float64)
    scaled *= factor
    np.floor(scaled, out=scaled)
    scaled += BINS // 2
    return scaled.astype(np.intp)
