"""The arithmetic of scales and zero points.

``real = scale * (quantized - zero_point)``, rounding half to even, as ONNX's QuantizeLinear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

UINT8_LEVELS = 255
INT8_MAX = 127
INT32_MAX = 2**31 - 1
BIAS_LIMIT = 2.0**30
NEGLIGIBLE = 2.0**-20
SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
HALF_ERROR = 2.0**-9
"""Relative error up to which float16 holds a scale: from 2 ** -16 on, subnormal there."""


@dataclass(frozen=True)
class Affine:
    """Scale and zero point of a uint8 activation tensor."""

    scale: float
    zero_point: int

    def quantize(self, real: ArrayLike) -> NDArray[np.uint8]:
        """Nearest representable code of each value; values out of range saturate."""
        codes = np.rint(np.asarray(real, dtype=np.float64) / self.scale) + self.zero_point
        return np.asarray(np.clip(codes, 0, UINT8_LEVELS), dtype=np.uint8)

    def dequantize(self, codes: ArrayLike) -> NDArray[np.float64]:
        """Real value of each code."""
        return self.scale * (np.asarray(codes, dtype=np.float64) - self.zero_point)


def uint8_affine(low: float, high: float) -> Affine:
    """Affine map of uint8 for values within ``[low, high]``, ``low`` <= 0 <= ``high``.

    Zero is always represented exactly.
    """
    if not high > low:
        return Affine(1.0, 0)
    scale = max(float(np.float32((high - low) / UINT8_LEVELS)), SMALLEST_SCALE)
    return Affine(scale, int(np.clip(np.rint(-low / scale), 0, UINT8_LEVELS)))


def int8_weight(
    weight: NDArray[np.float32], amax: ArrayLike
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 codes and scales [channels] of a weight, channels on axis 0."""
    limits = np.asarray(amax, dtype=np.float64)
    scales = np.maximum(np.where(limits > 0, limits, 1.0) / INT8_MAX, SMALLEST_SCALE)
    scales = scales.astype(np.float32)
    columns = (slice(None),) + (None,) * (weight.ndim - 1)
    codes = np.rint(weight.astype(np.float64) / scales.astype(np.float64)[columns])
    return np.clip(codes, -INT8_MAX, INT8_MAX).astype(np.int8), scales


def round_weight(weight: NDArray[np.float32], amax: ArrayLike) -> NDArray[np.float32]:
    """A weight rounded to int8 and back, channels on axis 0."""
    codes, scales = int8_weight(weight, amax)
    return np.asarray(codes * scales.reshape(-1, *(1,) * (weight.ndim - 1)), np.float32)


def representable_weight_amax(
    weight_amax: ArrayLike, bias: ArrayLike, input_scale: float
) -> NDArray[np.float64]:
    """Per-channel limits of a weight, raised where a channel's unit would be too small.

    A bias is added in the 32-bit accumulator, in units of input scale times weight scale: a
    channel of almost no weight has so small a unit that its bias would overflow. Weights below
    ``NEGLIGIBLE`` of the tensor's largest add nothing, and runtimes divide by their scale.
    """
    limits = np.asarray(weight_amax, dtype=np.float64)
    # The unit is a float32, which keeps its precision down to its smallest normal number only.
    unit = np.maximum(np.abs(np.asarray(bias, np.float64)) / BIAS_LIMIT, SMALLEST_SCALE)
    room = np.where(np.asarray(bias) == 0.0, 0.0, unit * INT8_MAX / input_scale)
    return np.maximum(np.maximum(limits, room), NEGLIGIBLE * limits.max(initial=0.0))


def int32_bias(
    bias: NDArray[np.float32], input_scale: float, weight_scales: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Codes and scales [channels] of a bias at the accumulator's scale, input times weight."""
    scales = np.float32(input_scale) * weight_scales
    codes = np.rint(bias.astype(np.float64) / scales.astype(np.float64))
    return np.clip(codes, -INT32_MAX, INT32_MAX).astype(np.int32), scales


def as_half(scales: ArrayLike) -> NDArray[np.float32]:
    """``scales`` as float16 holds them; those it does not hold to ``HALF_ERROR`` as they are."""
    exact = np.asarray(scales, np.float32)
    with np.errstate(over="ignore"):
        half = exact.astype(np.float16).astype(np.float32)
    near = np.abs(half - exact) <= HALF_ERROR * np.abs(exact)
    return np.where(near, half, exact)
