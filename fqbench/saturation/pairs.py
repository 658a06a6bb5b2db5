"""The arithmetic of products that are added in pairs, each sum kept within 16 bits.

Intel, Architectures Software Developer's Manual, volume 2, PMADDUBSW: unsigned bytes times signed
bytes, neighbouring products added with saturation to signed 16 bits. What follows adds in 32 bits.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

HIGHEST, LOWEST = 2**15 - 1, -(2**15)
"""Ends of the 16 bits."""

LARGEST_CODE = 255
"""Of a uint8 activation."""

Integer = TypeVar("Integer", np.int32, np.int64)
Codes = NDArray[np.uint8]
Weights = NDArray[np.int8]


def accumulate(read: Codes, weight: Weights) -> NDArray[np.int64]:
    """Results [places, outputs] of ``read`` [places, columns] times ``weight`` [outputs, columns].

    Columns lie in the order in which the kernel reads them.
    """
    sums = _pairs(read.astype(np.int64)) @ np.swapaxes(_pairs(weight.astype(np.int64)), 1, 2)
    return np.asarray(np.clip(sums, LOWEST, HIGHEST).sum(axis=0))


def may_saturate(weight: Weights) -> NDArray[np.bool_]:
    """Which pairs [outputs, pairs] of ``weight`` [outputs, columns] some activations saturate."""
    paired = np.moveaxis(_pairs(weight.astype(np.int64)), 0, 1)
    most = LARGEST_CODE * np.maximum(paired, 0).sum(axis=2)
    least = LARGEST_CODE * np.minimum(paired, 0).sum(axis=2)
    return np.asarray((most > HIGHEST) | (least < LOWEST))


def count_saturated(read: Codes, weight: Weights) -> int:
    """How many sums of two products saturate, over all places and outputs; see ``accumulate``."""
    codes, paired = _pairs(read.astype(np.int32)), _pairs(weight.astype(np.int32))
    large, count = may_saturate(weight), 0
    # Few pairs of weights are so large: only these are multiplied.
    for pair in np.flatnonzero(large.any(axis=0)):
        sums = codes[pair] @ paired[pair, large[:, pair]].T
        count += int(np.count_nonzero((sums > HIGHEST) | (sums < LOWEST)))
    return count


def _pairs(columns: NDArray[Integer]) -> NDArray[Integer]:
    """``columns`` [rows, columns] as [pairs, rows, 2], an odd last one beside a zero."""
    even = np.pad(columns, ((0, 0), (0, columns.shape[1] % 2)))
    return np.ascontiguousarray(even.reshape(len(even), -1, 2).swapaxes(0, 1))
