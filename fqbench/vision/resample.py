"""Resizing images with the filters of OpenCV, which published models were evaluated with.

Every filter is separable, so resizing is a product with one sparse matrix a side. Pillow's filters
are others (they widen when shrinking); OpenCV itself cannot be relied on: its wheels need the
system's libGL, and the one that does not cannot stand beside the one that PaddleSlim requires.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from fqbench.spec.preprocessing import Interpolation, Size
from fqbench.vision.image import Pixels

CUBIC_A = -0.75
"""Parameter of the cubic convolution kernel (Keys, 1981) that OpenCV uses."""


ONE = 2048
"""A weight of 1 in OpenCV's fixed point, in which it computes the linear filter."""


def resize(image: Pixels, size: Size, interpolation: Interpolation) -> Pixels:
    """``image`` [h, w, channels] as [*size, channels], rounded to whole values.

    Pixel centres are at half coordinates; beyond the border its pixels repeat. ``area`` is a
    filter for shrinking: where a side grows, the image is resized by ``linear``. (OpenCV's
    INTER_AREA is no help there, it repeats pixels with short ramps between.) ``nearest`` and
    ``linear`` give OpenCV's result bit by bit, the others are within 1 of it.
    """
    height, width, channels = image.shape
    if (height, width) == size:
        return image
    if interpolation == "area" and (size[0] > height or size[1] > width):
        interpolation = "linear"
    if interpolation in ("linear", "area") and (height, width) == (2 * size[0], 2 * size[1]):
        return _halved(image, size)
    if interpolation == "linear":
        return _linear(image, size)
    rows = weights(height, size[0], interpolation)
    columns = weights(width, size[1], interpolation)
    narrow = rows @ image.reshape(height, -1).astype(np.float32)
    turned = narrow.reshape(size[0], width, channels).transpose(1, 0, 2).reshape(width, -1)
    result = (columns @ turned).reshape(size[1], size[0], channels).transpose(1, 0, 2)
    return np.ascontiguousarray(np.clip(np.rint(result), 0, 255).astype(np.uint8))


def _halved(image: Pixels, size: Size) -> Pixels:
    """The mean of two by two pixels, a half rounded up."""
    blocks = image.reshape(size[0], 2, size[1], 2, -1).sum(axis=(1, 3), dtype=np.uint16)
    return np.asarray((blocks + 2) >> 2, dtype=np.uint8)


def _linear(image: Pixels, size: Size) -> Pixels:
    """Bilinear in OpenCV's fixed point: first along the rows, then between them.

    What its shifts cut off makes about a pixel in eight darker by 1 than rounding would.
    """
    height, width, channels = image.shape
    turned = image.transpose(1, 0, 2).reshape(width, -1).astype(np.int32)
    across = (_across(width, size[1]) @ turned).reshape(size[1], height, channels)
    lines = np.ascontiguousarray(across.transpose(1, 0, 2)).reshape(height, -1) >> 4
    first, rest = _positions(height, size[0])
    upper, lower = (np.clip(index, 0, height - 1) for index in (first, first + 1))
    above, below = _fixed(rest)
    # Of 2^22 (two weights, 255 in 8 bits), 4 bits went before, 16 go here, 2 are rounded.
    mixed = (lines[upper] * above[:, None] >> 16) + (lines[lower] * below[:, None] >> 16)
    return ((mixed + 2) >> 2).astype(np.uint8).reshape(*size, channels)


@lru_cache(maxsize=64)
def _across(source: int, target: int) -> scipy.sparse.csr_matrix:
    """Matrix [target, source] of the linear filter along a row, in units of 1 / ``ONE``."""
    first, rest = _positions(source, target)
    values = np.stack(_fixed(rest), axis=1)
    return _matrix(first[:, None] + np.arange(2), values, source)


def _positions(source: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The pixel at or before each centre, may be -1, and how far behind it the centre is."""
    center = ((np.arange(target) + 0.5) * (1 / (target / source)) - 0.5).astype(np.float32)
    first = np.floor(center)
    return first.astype(np.int64), center - first


def _fixed(rest: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Weights of the two pixels around a centre that is ``rest`` behind the first."""
    before, after = np.rint((1 - rest) * np.float32(ONE)), np.rint(rest * np.float32(ONE))
    return before.astype(np.int32), after.astype(np.int32)


@lru_cache(maxsize=64)
def weights(
    source: int, target: int, interpolation: Literal["nearest", "cubic", "area"]
) -> scipy.sparse.csr_matrix:
    """Matrix [target, source] whose rows say how much each pixel counts; each row sums to 1.

    ``area`` takes no more pixels than there are: ``target`` up to ``source``.
    """
    if interpolation == "area":
        return _area(source, target)
    if interpolation == "nearest":
        nearest = np.floor(np.arange(target) * (1 / (target / source))).astype(np.int64)
        return _matrix(nearest[:, None], np.ones((target, 1), np.float32), source)
    center = (np.arange(target) + 0.5) * (source / target) - 0.5
    first = np.floor(center).astype(np.int64)
    offsets = np.arange(-1, 3)
    values = _cubic(np.abs((center - first)[:, None] - offsets))
    return _matrix(first[:, None] + offsets, values.astype(np.float32), source)


def _area(source: int, target: int) -> scipy.sparse.csr_matrix:
    """Each pixel of the result is the mean of the source under it."""
    scale = source / target
    start = np.arange(target) * scale
    columns = np.floor(start).astype(np.int64)[:, None] + np.arange(int(np.ceil(scale)) + 1)
    covered = np.minimum(columns + 1, (start + scale)[:, None]) - np.maximum(
        columns, start[:, None]
    )
    return _matrix(columns, (np.maximum(covered, 0) / scale).astype(np.float32), source)


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    a, d = CUBIC_A, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _matrix(
    columns: NDArray[np.int64], values: NDArray[Any], source: int
) -> scipy.sparse.csr_matrix:
    """Sparse matrix of ``values`` at ``columns``, both [rows, taps]; borders repeat."""
    rows = np.broadcast_to(np.arange(len(columns))[:, None], columns.shape)
    inside = np.clip(columns, 0, source - 1)
    entries = (values.ravel(), (rows.ravel(), inside.ravel()))
    return scipy.sparse.csr_matrix(entries, shape=(len(columns), source))
