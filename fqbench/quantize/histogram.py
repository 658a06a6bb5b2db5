"""Histogram of a tensor's values over the calibration images; its range grows with them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

BINS = 2**14
"""Bins over ``[-limit, limit)``: dozens per 8-bit step even where one value lies a hundred
times beyond the rest."""

SMALLEST_LIMIT = 2.0**-100
"""Of smaller values only least and largest are distinguished."""

VIEWED = 2**18
"""Values of one tensor of one image that the histogram counts; of a larger tensor, evenly spread
ones. Least and largest value are of all. With a quarter of these, the
error of YOLOv5s's raw outputs on images that were not calibrated on grew by a fifth."""

CHUNK = 2**16
"""Values that are counted at once: enough to be worth a pass over the bins, and what is made of
them stays in the cache."""


class TensorHistogram:
    """Histogram, least and largest value, and largest magnitude per image, of one tensor.

    ``limit`` is a power of two above every magnitude, 0 as long as only zeros were seen. Bin ``k``
    counts the values from ``limit * (2 * k / BINS - 1)`` up to, not including, the next bin's
    first. No order of the images changes a count.
    """

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self.image_amax: list[float] = []
        self._counts: NDArray[np.int64] = np.zeros(BINS, np.int64)
        self._counted_limit = 0.0
        self._waiting: list[NDArray[np.float32]] = []

    def add(self, values: NDArray[np.float32]) -> None:
        """Count the tensor of one image, of any shape. Values that are not finite are left out."""
        flat = values.reshape(-1)
        low, high = float(flat.min(initial=math.inf)), float(flat.max(initial=-math.inf))
        if not math.isfinite(high - low):
            flat = flat[np.isfinite(flat)]
            if not flat.size:
                return
            low, high = float(flat.min()), float(flat.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.image_amax.append(max(abs(low), abs(high)))
        # A copy: a view would keep the whole tensor.
        self._waiting.append(flat[:: _step(flat.size)].copy())
        if sum(part.size for part in self._waiting) >= CHUNK:
            self._count()

    @property
    def limit(self) -> float:
        """The power of two above every magnitude."""
        if self.amax == 0.0:
            return 0.0
        # The power of two next above, also of a power of two.
        return max(2.0 ** math.frexp(self.amax)[1], SMALLEST_LIMIT)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many values lie in each bin."""
        self._count()
        return self._counts

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
            values[full == _bins(value, self.limit)] = value
        return np.clip(values, self.low, self.high), self.counts[full].astype(np.float64)

    def search(self, occupied: Values) -> Callable[[Values], NDArray[np.intp]]:
        """How many of the values that ``occupied()`` gave lie below others, of any shape.

        As ``np.searchsorted``, without a search: the bin determines it.
        """
        full = self.counts > 0
        before = np.concatenate([[0], np.cumsum(full)])
        inside = np.full(BINS + 1, math.inf)
        inside[:-1][full] = occupied
        width = self.width or math.inf

        def below(values: Values) -> NDArray[np.intp]:
            scaled = np.floor(values / width) + BINS // 2
            bins = np.clip(scaled, 0, BINS).astype(np.intp)
            return np.asarray(before[bins] + (inside[bins] < values))

        return below

    def magnitudes(self, bins: int) -> NDArray[np.float64]:
        """Counts of the magnitudes in ``bins`` even bins from 0 to ``amax``, which is above 0.

        A bin of the histogram that lies across two of them is split.
        """
        folded = self.counts[BINS // 2 :] + self.counts[BINS // 2 - 1 :: -1]
        below = np.concatenate([[0], np.cumsum(folded)])
        edges = np.minimum(np.arange(BINS // 2 + 1) * self.width, self.amax)
        return np.diff(np.interp(np.linspace(0.0, self.amax, bins + 1), edges, below))

    def _count(self) -> None:
        """Count what waits: many small tensors at once."""
        if not self._waiting:
            return
        limit = self.limit
        self._widen(limit)
        values = np.concatenate(self._waiting)
        self._waiting.clear()
        for start in range(0, values.size, CHUNK):
            bins = _bins(values[start : start + CHUNK], limit)
            self._counts += np.bincount(bins, minlength=BINS)

    def _widen(self, limit: float) -> None:
        """Double the counts' limit until it is ``limit``, two bins of the old becoming one."""
        if self._counted_limit == 0.0:
            self._counted_limit = limit
        while self._counted_limit < limit:
            inner = self._counts.reshape(BINS // 2, 2).sum(axis=1)
            self._counts = np.zeros(BINS, np.int64)
            self._counts[BINS // 4 : BINS // 4 + BINS // 2] = inner
            self._counted_limit *= 2.0


def _step(size: int) -> int:
    """The step by which at most ``VIEWED`` of ``size`` values are taken.

    It has no factor in common with the size, so it meets every channel and column in turn.
    """
    step = max(-(-size // VIEWED), 1)
    while math.gcd(step, size) > 1:
        step += 1
    return step


def _bins(values: ArrayLike, limit: float) -> NDArray[np.int64]:
    """The bin of each value."""
    # Exact, the limit being a power of two: a value falls into one bin whatever the limit was.
    # Only where values become less can float32 underflow.
    factor = BINS / (2.0 * limit) if limit > 0.0 else 0.0
    kind = np.float32 if factor >= 1.0 else np.float64
    scaled = np.multiply(values, factor, dtype=kind)
    return np.asarray(np.floor(scaled) + kind(BINS // 2)).astype(np.intp)
