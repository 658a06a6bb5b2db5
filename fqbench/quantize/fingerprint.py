"""Which tensor of one graph is which tensor of another: told by their values on one image.

Converters rename tensors. Two graphs that compute the same function hold the same values, so
sizes and samples of the values pair the names, and what cannot be paired is left unpaired.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 256
TOLERANCE = 2e-3
"""Largest difference of a sample, relative to the tensor's largest magnitude. Runtimes differ
by about 1e-5 after a hundred layers; unrelated tensors differ by the order of 1."""


@dataclass(frozen=True)
class Fingerprint:
    """Number of elements, largest magnitude, and up to 256 elements at even strides."""

    size: int
    amax: float
    samples: tuple[float, ...]

    @staticmethod
    def of(values: NDArray[np.float32]) -> Fingerprint:
        """Fingerprint of a tensor of any shape."""
        flat = np.asarray(values, dtype=np.float64).reshape(-1)
        stride = max(1, flat.size // SAMPLES)
        amax = float(np.abs(flat).max()) if flat.size else 0.0
        return Fingerprint(int(flat.size), amax, tuple(flat[::stride][:SAMPLES].tolist()))

    def matches(self, other: Fingerprint) -> bool:
        """Whether both may be of one tensor; never true of one that is all zero or
        not finite."""
        if self.size != other.size or self.amax == 0.0 or not math.isfinite(self.amax):
            return False
        limit = TOLERANCE * self.amax
        if not abs(self.amax - other.amax) <= limit:
            return False
        difference = np.abs(np.subtract(self.samples, other.samples))
        return bool(difference.max() <= limit)


def pair(
    wanted: Mapping[str, Fingerprint], offered: Mapping[str, Fingerprint]
) -> dict[str, tuple[str, ...]]:
    """Map each wanted name to the offered names of the same values, where there are any."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for name, fingerprint in offered.items():
        by_size[fingerprint.size].append(name)
    pairs = {}
    for name, fingerprint in wanted.items():
        same = [c for c in by_size[fingerprint.size] if fingerprint.matches(offered[c])]
        if same:
            pairs[name] = tuple(same)
    return pairs
