"""ONNX's Resize along one axis, as places to copy or as a matrix: arithmetic only.

After the operator's definition in ONNX: https://onnx.ai/onnx/operators/onnx__Resize.html. Positions
are computed in float32, as ONNX Runtime does, so that ties are rounded alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.float32]
"""Where in the source each place of the result lies."""


@dataclass(frozen=True)
class Axis:
    """An axis of ``size`` places that becomes one of ``target``, by ``scale``.

    ``scale`` is what the operator is given, which need not be the quotient of both.
    """

    size: int
    target: int
    scale: float


@dataclass(frozen=True)
class Filter:
    """How values between places are computed: the attributes of the same names.

    ``mode``: linear or cubic.
    """

    mode: str
    cubic_coeff_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


def positions(axis: Axis, transformation: str) -> Positions:
    """Where each place of the result lies in the source.

    ``transformation``: ``coordinate_transformation_mode``. Raises ValueError for an unknown one.
    """
    places, scale = np.arange(axis.target, dtype=np.float32), np.float32(axis.scale)
    half = np.float32(0.5)
    if transformation == "half_pixel":
        return (places + half) / scale - half
    if transformation == "pytorch_half_pixel":
        return (places + half) / scale - half if axis.target > 1 else places
    if transformation == "half_pixel_symmetric":
        adjustment = np.float32(axis.target) / (scale * np.float32(axis.size))
        offset = np.float32(axis.size) * half * (np.float32(1) - adjustment)
        return offset + (places + half) / scale - half
    if transformation == "tf_half_pixel_for_nn":
        return (places + half) / scale
    if transformation == "asymmetric":
        return places / scale
    if transformation == "align_corners":
        last = np.float32(max(axis.target - 1, 1))
        return places * np.float32(axis.size - 1) / last
    raise ValueError(transformation)


def nearest(found: Positions, size: int, rounding: str) -> NDArray[np.int64]:
    """Which of ``size`` places of the source each place copies; ``rounding``: ``nearest_mode``."""
    if rounding == "floor":
        chosen = np.floor(found)
    elif rounding == "ceil":
        chosen = np.ceil(found)
    elif rounding == "round_prefer_ceil":
        chosen = np.floor(found + np.float32(0.5))
    else:
        chosen = np.ceil(found - np.float32(0.5))
    return np.clip(chosen, 0, size - 1).astype(np.int64)


def matrix(axis: Axis, found: Positions, used: Filter) -> NDArray[np.float32]:
    """[target, size]: what each place of the result takes of each place of the source."""
    result = np.zeros((axis.target, axis.size))
    narrow = min(axis.scale, 1.0) if used.antialias else 1.0
    reach = (1.0 if used.mode == "linear" else 2.0) / narrow
    for row, position in zip(result, found.astype(np.float64), strict=True):
        first = math.floor(position) - math.ceil(reach) + 1
        taps = np.arange(first, first + 2 * math.ceil(reach))
        distance = np.abs(taps - position) * narrow
        weights = (
            np.maximum(1.0 - distance, 0.0)
            if used.mode == "linear"
            else _cubic(distance, used.cubic_coeff_a)
        )
        if used.exclude_outside:
            weights = np.where((taps >= 0) & (taps < axis.size), weights, 0.0)
        if used.exclude_outside or used.antialias:
            weights /= weights.sum()
        np.add.at(row, np.clip(taps, 0, axis.size - 1), weights)
    return result.astype(np.float32)


def _cubic(distance: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    """Keys' convolution kernel of the coefficient ``a``."""
    d: Any = distance
    near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    far = ((d - 5.0) * d + 8.0) * d * a - 4.0 * a
    return np.where(d <= 1.0, near, np.where(d < 2.0, far, 0.0))
