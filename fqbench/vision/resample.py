"""Resizing images with the filters of OpenCV, which published models were evaluated with.

Every filter is linear and separable, so resizing is a product with one sparse matrix a side.
Pillow's filters are others (they widen when shrinking); OpenCV itself cannot be relied on: its
wheels need the system's libGL, and the one that does not cannot stand beside the one that
PaddleSlim requires.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from fqbench.spec.model import Interpolation, Size
from fqbench.vision.image import Pixels

CUBIC_A = -0.75
"""Parameter of the cubic convolution kernel (Keys, 1981) that OpenCV uses."""


def resize(image: Pixels, size: Size, interpolation: Interpolation) -> Pixels:
    """``image`` [h, w, channels] as [*size, channels], rounded to whole values.

    Pixel centres are at half coordinates; beyond the border its pixels repeat. Within 1 of
    OpenCV's result, which computes in fixed point.
    """
    height, width, channels = image.shape
    if (height, width) == size:
        return image
    rows = weights(height, size[0], interpolation)
    columns = weights(width, size[1], interpolation)
    narrow = rows @ image.reshape(height, -1).astype(np.float32)
    turned = narrow.reshape(size[0], width, channels).transpose(1, 0, 2).reshape(width, -1)
    result = (columns @ turned).reshape(size[1], size[0], channels).transpose(1, 0, 2)
    return np.ascontiguousarray(np.clip(np.rint(result), 0, 255).astype(np.uint8))


@lru_cache(maxsize=64)
def weights(source: int, target: int, interpolation: Interpolation) -> csr_matrix:
    """Matrix [target, source] whose rows say how much each pixel counts; each row sums to 1.

    ``area`` is a filter for shrinking; where the side grows, it is linear.
    """
    if interpolation == "area" and target <= source:
        return _area(source, target)
    if interpolation == "nearest":
        nearest = np.floor(np.arange(target) * (1 / (target / source))).astype(np.int64)
        return _matrix(nearest[:, None], np.ones((target, 1)), source)
    center = (np.arange(target) + 0.5) * (source / target) - 0.5
    first = np.floor(center).astype(np.int64)
    rest = center - first
    if interpolation == "cubic":
        offsets = np.arange(-1, 3)
        values = _cubic(np.abs(rest[:, None] - offsets))
    else:
        offsets = np.arange(2)
        values = np.stack([1 - rest, rest], axis=1)
    return _matrix(first[:, None] + offsets, values, source)


def _area(source: int, target: int) -> csr_matrix:
    """Each pixel of the result is the mean of the source under it."""
    scale = source / target
    start = np.arange(target) * scale
    columns = np.floor(start).astype(np.int64)[:, None] + np.arange(int(np.ceil(scale)) + 1)
    covered = np.minimum(columns + 1, (start + scale)[:, None]) - np.maximum(
        columns, start[:, None]
    )
    return _matrix(columns, np.maximum(covered, 0) / scale, source)


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    a, d = CUBIC_A, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _matrix(columns: NDArray[np.int64], values: NDArray[np.float64], source: int) -> csr_matrix:
    """Sparse matrix of ``values`` at ``columns``, both [rows, taps]; borders repeat."""
    rows = np.broadcast_to(np.arange(len(columns))[:, None], columns.shape)
    inside = np.clip(columns, 0, source - 1)
    entries = (values.ravel().astype(np.float32), (rows.ravel(), inside.ravel()))
    return csr_matrix(entries, shape=(len(columns), source))
