"""Scales and zero points: literal numbers, and what holds for every tensor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.quantize.affine import (
    Affine,
    int8_weight,
    int32_bias,
    representable_weight_amax,
    uint8_affine,
)

quick = settings(deadline=None, max_examples=100)
amaxes = st.floats(1e-6, 1e6)
ends = st.tuples(st.floats(-1e6, 0.0), st.floats(0.0, 1e6)).filter(lambda e: e[1] - e[0] > 1e-6)
fractions = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20)
FLOAT32_ROUNDING = 2.0**-15
"""A scale is rounded to float32, 24 bits; a value spans at most 255 of it, 8 bits."""


def test_codes_are_nearest_halves_go_to_even_and_what_is_outside_saturates():
    affine = Affine(0.5, 10)
    reals = [0.0, 0.25, 0.75, 0.3, -0.25, -0.75, -5.0, -5.5, 122.5, 1e9, -1e9]
    assert affine.quantize(reals).tolist() == [10, 10, 12, 11, 10, 8, 0, 0, 255, 255, 0]
    assert affine.dequantize([0, 10, 255]).tolist() == [-5.0, 0.0, 122.5]


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero_point"),
    [
        (0.0, 255.0, 1.0, 0),
        (0.0, 6.0, 6 / 255, 0),
        (-255.0, 0.0, 1.0, 255),
        (-128.0, 127.0, 1.0, 128),
        (-51.0, 204.0, 1.0, 51),
        (-51.4, 203.6, 1.0, 51),
        (0.0, 0.0, 1.0, 0),
    ],
)
def test_uint8_map_of_a_range(low, high, scale, zero_point):
    affine = uint8_affine(low, high)
    assert affine.scale == pytest.approx(scale, rel=1e-7)
    assert affine.zero_point == zero_point


@quick
@given(ends)
def test_zero_is_represented_exactly(ends):
    affine = uint8_affine(*ends)
    assert 0 <= affine.zero_point <= 255
    assert affine.dequantize(affine.quantize(0.0)) == 0.0


@quick
@given(ends)
def test_every_code_comes_back(ends):
    affine = uint8_affine(*ends)
    codes = np.arange(256)
    assert affine.quantize(affine.dequantize(codes)).tolist() == codes.tolist()


@quick
@given(ends, fractions)
def test_error_is_at_most_half_a_quantum_within_the_range_and_one_at_its_ends(ends, where):
    low, high = ends
    affine = uint8_affine(low, high)
    reals = low + np.array([0.0, 1.0, *where]) * (high - low)
    error = np.abs(affine.dequantize(affine.quantize(reals)) - reals)
    # Zero has a code of its own, for which the range moves by half a quantum.
    assert error.max() <= affine.scale * (1.0 + FLOAT32_ROUNDING)
    first, last = affine.dequantize([0, 255])
    inside = (reals >= first) & (reals <= last)
    assert error[inside].max(initial=0.0) <= affine.scale * (0.5 + FLOAT32_ROUNDING)


@pytest.mark.parametrize("amax", [1e-45, 1e-40, 1e-300])
def test_scale_of_an_almost_empty_tensor_stays_a_normal_float32(amax):
    assert np.float32(uint8_affine(0.0, amax).scale) >= np.finfo(np.float32).tiny
    _, scales = int8_weight(np.zeros((1, 1), np.float32), [amax])
    assert scales.dtype == np.float32
    assert scales[0] >= np.finfo(np.float32).tiny


def test_weight_has_one_scale_a_channel_and_saturates_at_127_on_both_sides():
    weight = np.array([[[1.0, -2.0, 127.0]], [[0.25, -64.0, 64.0]], [[0.0, 0.0, 0.0]]], np.float32)
    codes, scales = int8_weight(weight, [127.0, 31.75, 0.0])
    assert codes.dtype == np.int8
    assert codes.tolist() == [[[1, -2, 127]], [[1, -127, 127]], [[0, 0, 0]]]
    assert scales.tolist() == [1.0, 0.25, np.float32(1 / 127)]


@quick
@given(st.integers(0, 2**32 - 1), st.floats(1e-8, 1e4), st.floats(0.1, 1.0))
def test_weight_codes_are_symmetric_and_within_half_a_quantum(seed, size, share):
    weight = np.random.default_rng(seed).normal(0, size, (4, 3, 3, 3)).astype(np.float32)
    amax = share * np.abs(weight).max(axis=(1, 2, 3)).astype(np.float64)
    codes, scales = int8_weight(weight, amax)
    assert codes.min() >= -127
    represented = codes * scales.astype(np.float64)[:, None, None, None]
    clipped = np.clip(weight, -amax[:, None, None, None], amax[:, None, None, None])
    error = np.abs(represented - clipped).max(axis=(1, 2, 3))
    assert np.all(error <= scales * (0.5 + FLOAT32_ROUNDING))


def test_bias_counts_in_units_of_input_times_weight():
    codes, scales = int32_bias(
        np.array([1.0, -3.0, 0.0625], np.float32), 0.5, np.array([0.25, 2.0, 0.25], np.float32)
    )
    assert codes.dtype == np.int32
    assert scales.tolist() == [0.125, 1.0, 0.125]
    assert codes.tolist() == [8, -3, 0]


def test_limits_of_ordinary_weights_stay():
    limits = representable_weight_amax([0.5, 2.0], [0.1, -3.0], 0.02)
    assert limits.tolist() == [0.5, 2.0]


def test_limit_of_a_channel_without_weight_rises_until_its_bias_fits():
    # 2**30 units of 0.01 * limit / 127 are 8.0
    limits = representable_weight_amax([1e-12, 1e-6], [8.0, 0.0], 0.01)
    assert limits[0] == pytest.approx(8.0 * 127 / (0.01 * 2**30))
    assert limits[1] == 1e-6


def test_limit_of_a_channel_without_weight_and_bias_is_a_millionth_of_the_largest():
    assert representable_weight_amax([4.0, 0.0], 0.0, 0.01).tolist() == [4.0, 4.0 * 2.0**-20]


@quick
@given(
    st.lists(
        st.tuples(
            st.one_of(st.just(0.0), st.floats(1e-30, 1e3)),
            st.one_of(st.just(0.0), st.floats(-1e4, 1e4)),
        ),
        min_size=1,
        max_size=8,
    ),
    st.floats(1e-6, 1e3),
)
def test_bias_never_overflows(channels, input_scale):
    amax, bias = (np.array(values) for values in zip(*channels, strict=True))
    bias = bias.astype(np.float32)
    limits = representable_weight_amax(amax, bias, input_scale)
    _, weight_scales = int8_weight(np.zeros((len(amax), 1), np.float32), limits)
    codes, scales = int32_bias(bias, input_scale, weight_scales)
    assert np.abs(codes.astype(np.int64)).max() <= 2**30 * (1 + 1e-5)
    error = np.abs(codes * scales.astype(np.float64) - bias)
    assert np.all(error <= scales * 0.5001)
