"""Values of a grid at any places between its own, along each axis by itself."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

Places = NDArray[np.floating[Any]]
"""Indices [n] into an axis: 0 is the centre of its first value. They may lie beyond its ends."""


def matrix(
    places: Places, source: int, beyond: Literal["repeat", "zero"] = "repeat"
) -> scipy.sparse.csr_matrix:
    """Matrix [places, source] of linear interpolation.

    ``beyond`` the ends the last value repeats, or all is 0, as of a canvas of zeros.
    """
    first = np.floor(places)
    rest = (places - first).astype(np.float32)
    columns = first[:, None].astype(np.int64) + np.arange(2)
    values = np.stack([1 - rest, rest], axis=1)
    if beyond == "zero":
        values = np.where((columns >= 0) & (columns < source), values, 0)
    rows = np.broadcast_to(np.arange(len(places))[:, None], columns.shape)
    entries = (values.ravel(), (rows.ravel(), np.clip(columns, 0, source - 1).ravel()))
    return scipy.sparse.csr_matrix(entries, shape=(len(places), source), dtype=np.float32)


def sample(
    values: NDArray[Any],
    rows: scipy.sparse.csr_matrix,
    columns: scipy.sparse.csr_matrix,
) -> NDArray[np.float32]:
    """``values`` [channels, h, w] at ``rows`` and ``columns``: [channels, rows, columns]."""
    channels, height, width = values.shape
    high, wide = rows.shape[0], columns.shape[0]
    by_row = np.asarray(values, np.float32).transpose(1, 0, 2).reshape(height, -1)
    narrow = (rows @ by_row).reshape(high, channels, width).transpose(2, 1, 0)
    turned = columns @ np.ascontiguousarray(narrow).reshape(width, -1)
    return np.ascontiguousarray(turned.reshape(wide, channels, high).transpose(1, 2, 0))
