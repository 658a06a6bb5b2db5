"""Ranges: literal numbers, what holds for every tensor, PaddleSlim as the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.isolate.parent import _run, _Watch
from fqbench.quantize.algorithms import (
    SHRINKING,
    Range,
    find_range,
    identity,
    search_mse_range,
    silu,
    usual_amax,
)
from fqbench.quantize.code_errors import CodeErrors
from fqbench.quantize.histogram import TensorHistogram
from fqbench.quantize.thresholds import BY_NAME, HISTOGRAM_BINS, kl_bins
from tests.support.paddle import require_paddle

quick = settings(deadline=None, max_examples=60)
ALGORITHMS = ("search", "percentile", *BY_NAME)
VALUES = st.lists(
    st.one_of(
        st.floats(-8.0, 8.0, width=32).filter(lambda v: v == 0.0 or abs(v) > 1e-6),
        st.sampled_from([0.0, 6.0, 1000.0, -1000.0]),
    ),
    min_size=1,
    max_size=40,
)
LARGEST, LEAST = 3.4028234663852886e38, 2.0**-149
"""Of the positive numbers of float32."""


def seen(*images):
    histogram = TensorHistogram()
    for image in images:
        histogram.add(np.array(image, np.float32))
    return histogram


def bell(seed=0, size=20000):
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def symmetric(values, amax):
    """Rounded to PaddleSlim's 256 codes."""
    values = np.asarray(values, np.float64)
    return np.clip(np.rint(values / amax * 127), -128, 127) * amax / 127


def affine(values, low, high):
    """Rounded to 256 codes from ``low`` to ``high``, one of which is zero."""
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    return (np.clip(np.rint(np.asarray(values) / scale) + zero, 0, 255) - zero) * scale


# Errors of rounding


def test_errors_of_three_codes():
    # -1 and 0 are kept; 0.375, in the middle of its bin but for 1/4096, goes to 0, 3 to 1.
    errors = CodeErrors(seen([-1.0, 0.0, 0.375, 3.0]), identity)
    scales, lowest = np.array([1.0, 2.0]), np.array([-1.0, -1.0])
    # With scale 2: -1 is half-way between -2 and 0, 3 goes to 2.
    assert errors.squared(scales, lowest, 3) == pytest.approx(
        [0.375**2 + 4.0, 1.0 + 0.375**2 + 1.0], abs=1e-3
    )
    moments = errors.moments(scales[:1], lowest[:1], 3)
    mean, deviation = 2.375 / 4, math.sqrt((1 + 0.375**2 + 9) / 4 - (2.375 / 4) ** 2)
    assert moments == pytest.approx([mean - 0.0 + deviation - math.sqrt(0.5)], abs=1e-3)


@pytest.mark.parametrize("behind", [identity, silu])
def test_errors_are_those_of_rounding_each_value(behind):
    histogram = seen(3.0 * bell(), [20.0])
    values, counts = histogram.occupied()
    ends = [(-1.0, 0.5), (-12.0, 20.0), (0.0, 3.0), (-2.0, 0.0)]
    scales = np.array([(high - low) / 255 for low, high in ends])
    lowest = np.array([-np.rint(-low / s) for (low, _), s in zip(ends, scales, strict=True)])
    assert CodeErrors(histogram, behind).squared(scales, lowest, 256) == pytest.approx(
        [counts @ (behind(affine(values, *pair)) - behind(values)) ** 2 for pair in ends]
    )


# The search


def test_search_keeps_integers_that_fit_the_codes():
    assert search_mse_range(seen(np.arange(-55, 201))) == Range(-55.0, 200.0, 200.0)


def test_search_gives_up_an_outlier_for_the_many():
    found = search_mse_range(seen(np.tile(np.linspace(0.0, 1.0, 1000), 100), [-0.5, 2.0]))
    # Finer steps for 100000 values outweigh what one value loses.
    assert -0.5 <= found.low < 0.0
    assert 1.0 <= found.high < 2.0
    spared = search_mse_range(seen(np.linspace(0.0, 1.0, 100), [2.0]))
    assert spared.high == 2.0


def test_search_looks_behind_the_next_operator():
    values = np.linspace(-30.0, 6.0, 2000)
    plain, gated = search_mse_range(seen(values)), search_mse_range(seen(values), silu)
    # SiLU makes nothing of what is far below 0.
    assert plain.low < -28.0
    assert -16.0 < gated.low < -4.0
    assert gated.high == pytest.approx(6.0, rel=0.1)


def test_search_finds_the_least_error_of_all_pairs_of_parts():
    histogram = seen(bell(1, 200000), [8.0])
    values, counts = histogram.occupied()

    def error(low, high):
        return counts @ (affine(values, low, high) - values) ** 2

    found = search_mse_range(histogram)
    pairs = [
        (a * histogram.low, b * histogram.high) for a in SHRINKING[::2] for b in SHRINKING[::2]
    ]
    # Ends are searched alternately, so the best of all pairs may be missed, by little.
    assert error(found.low, found.high) <= 1.05 * min(error(*pair) for pair in pairs)
    assert error(found.low, found.high) < 0.9 * error(histogram.low, histogram.high)


def test_silu_of_any_magnitude():
    values = np.array([-LARGEST, -100.0, -1.0, 0.0, 1.0, 100.0, LARGEST])
    wanted = [0.0, 0.0, -0.26894142137, 0.0, 0.73105857863, 100.0, LARGEST]
    assert silu(values) == pytest.approx(wanted, abs=1e-10)


@quick
@given(VALUES)
def test_search_is_never_worse_than_least_and_largest_value(values):
    histogram = seen(values)
    found = search_mse_range(histogram)
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    if high == low:
        assert found == Range(0.0, 0.0, 0.0)
        return
    values = np.array(values, np.float64)

    def error(rounded):
        return math.sqrt(np.mean((rounded - values) ** 2))

    # The distance to the nearest code changes by no more than the value: a bin at either end.
    slack = 2.0 * histogram.width
    ours, widest = affine(values, found.low, found.high), affine(values, low, high)
    assert error(ours) <= error(widest) + slack
    assert error(symmetric(values, found.amax)) <= (
        error(symmetric(values, histogram.amax)) + slack + histogram.amax / 127
    )


# Thresholds


def test_thresholds_of_known_values():
    # 2000 values in each of the lower half of 2048 bins, then 3 bins of one value.
    even = (np.arange(1024) + 0.5) / 2048
    histogram = seen(np.repeat(even, 2000), [0.6, 0.8, 1.0], -even[:10])
    assert find_range(histogram, "abs_max").amax == 1.0
    assert find_range(histogram, "avg").amax == pytest.approx((even[-1] + 1.0 + even[9]) / 3)
    # What 99.99 % leave out, 205 values, is more than the three outliers and less than a bin.
    assert find_range(histogram, "hist").amax == pytest.approx(even[-1])
    assert find_range(histogram, "percentile").amax == pytest.approx(even[-1], abs=1 / 2048)
    half = find_range(histogram, "percentile", percent=50.0)
    assert half.amax == pytest.approx(0.25, abs=1 / 2048)
    assert (half.low, half.high) == (histogram.low, half.amax)
    assert find_range(histogram, "percentile", percent=100.0).amax == 1.0


def test_mse_and_emd_try_parts_up_to_98_percent():
    histogram = seen(np.tile(np.arange(-98, 99), 20), [100.0])
    for algorithm in ("mse", "emd"):
        parts = find_range(histogram, algorithm).amax / 100.0
        assert (parts - 0.3) / 0.02 == pytest.approx(round((parts - 0.3) / 0.02), abs=1e-6)
        assert 0.3 <= parts <= 0.981


def test_kl_keeps_at_least_half_of_the_bins():
    counts = np.zeros(HISTOGRAM_BINS)
    counts[:1100] = 1000.0
    assert kl_bins(counts) == 1100
    # One level holds 8 bins, all alike: nothing is lost by rounding, all by cutting off.
    counts[:] = 7.0
    assert kl_bins(counts) == 2047
    counts[:] = 0.0
    counts[[3, 2047]] = 5.0
    assert kl_bins(counts) == 3


def test_kl_cuts_off_a_lonely_outlier_but_not_half_of_the_values():
    assert find_range(seen(bell(), [1000.0]), "KL").amax == pytest.approx(
        np.abs(bell()).max(), abs=0.5
    )
    assert find_range(seen([0.0, 0.0, 6.0, 6.0]), "KL") == Range(0.0, 6.0, 6.0)


# What holds for every algorithm


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("images", [[], [[]], [[0.0, 0.0], [-0.0]], [[math.nan, math.inf]]])
def test_nothing_to_represent(algorithm, images):
    assert find_range(seen(*images), algorithm) == Range(0.0, 0.0, 0.0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("value", [3.0, -3.0, 1e-30, LEAST, -LEAST, LARGEST, -LARGEST])
def test_a_single_value(algorithm, value):
    value = float(np.float32(value))
    found = find_range(seen([value] * 3), algorithm)
    end = found.high if value > 0 else found.low
    assert {found.low, found.high} == {0.0, end}
    # mse and emd try no more than 98 %; a histogram has 2048 bins.
    rel = 0.021 if algorithm in ("mse", "emd") else 1 / 2048
    assert end == pytest.approx(value, rel=rel, abs=0.0)
    assert 0.0 < found.amax <= abs(value)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_huge_outlier(algorithm):
    found = find_range(seen(np.append(bell(), np.float32(1e30))), algorithm)
    assert math.isfinite(found.amax)
    assert found.low <= 0.0 < found.high <= found.amax <= np.float32(1e30)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@quick
@given(images=st.lists(VALUES, min_size=1, max_size=4))
def test_a_range_holds_zero_and_ends_within_what_occurred(algorithm, images):
    flat = np.concatenate([np.array(image) for image in images])
    found = find_range(seen(*images), algorithm)
    assert min(flat.min(), 0.0) <= found.low <= 0.0 <= found.high <= max(flat.max(), 0.0)
    assert found.amax <= np.abs(flat).max()
    assert (found.amax > 0.0) == (np.abs(flat).max() > 0.0)
    if algorithm == "abs_max":
        whole = Range(min(flat.min(), 0.0), max(flat.max(), 0.0), np.abs(flat).max())
        assert found == whole


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@quick
@given(images=st.lists(VALUES, min_size=1, max_size=3), power=st.integers(-30, 30))
def test_a_power_of_two_scales_the_range_exactly(algorithm, images, power):
    factor = 2.0**power
    one = find_range(seen(*images), algorithm)
    other = find_range(seen(*[np.array(image) * factor for image in images]), algorithm)
    assert other == Range(one.low * factor, one.high * factor, one.amax * factor)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@quick
@given(images=st.lists(VALUES, min_size=1, max_size=5))
def test_the_order_of_images_changes_nothing(algorithm, images):
    one, other = (find_range(seen(*order), algorithm) for order in (images, images[::-1]))
    # A mean is summed in the order of the images.
    assert one.amax == pytest.approx(other.amax, rel=1e-15 if algorithm == "avg" else 0.0)


# PaddleSlim


RUNS = (("hist", 4), ("avg", 4), ("abs_max", 4), ("mse", 4), ("mse", 1), ("emd", 1))
TOLERANCE = {"hist": 1e-3, "avg": 1e-6, "abs_max": 0.0, "mse": 1e-6, "emd": 0.15}
"""Relative. hist: two bins of 2048. mse, emd: the same part of the same magnitude, but emd's
error has many minima that are alike."""


@pytest.fixture(scope="module")
def slim(tmp_path_factory):
    """PaddleSlim's thresholds by run and tensor, and what each image makes of each tensor."""
    require_paddle()
    folder = tmp_path_factory.mktemp("slim")
    arguments = {"folder": str(folder), "runs": [list(run) for run in RUNS]}
    watch = _Watch("the test", timeout_s=200)
    answers = _run("tests.support.slim_calibration:thresholds", arguments, {}, watch)
    tensors = []
    for index in range(4):
        with np.load(folder / f"{index}.npz") as archive:
            tensors.append(dict(archive))
    return dict(zip(RUNS, answers, strict=True)), tensors


def pooled(slim, name, count=4):
    return np.stack([tensors[name] for tensors in slim[1][:count]])


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "count"), [run for run in RUNS if run != ("mse", 4)])
def test_thresholds_are_those_of_paddleslim(slim, algorithm, count):
    thresholds = slim[0][algorithm, count]
    assert len(thresholds) == 4
    for name, wanted in thresholds.items():
        found = find_range(seen(*pooled(slim, name, count)), algorithm)
        assert found.amax == pytest.approx(wanted, rel=TOLERANCE[algorithm], abs=0.0), name


@pytest.mark.slow
def test_emd_keeps_the_moments_as_well_as_paddleslim(slim):
    def error(values, amax):
        rounded = symmetric(values, amax)
        return abs(values.mean() - rounded.mean()) + abs(values.std() - rounded.std())

    for name, theirs in slim[0]["emd", 1].items():
        values = pooled(slim, name, 1).astype(np.float64)
        ours = find_range(seen(values), "emd").amax
        step = np.abs(values).max() / 127
        assert error(values, ours) <= error(values, theirs) + 0.01 * step, name


@pytest.mark.slow
def test_mse_over_all_images_is_no_worse_than_that_of_paddleslims_best_image(slim):
    errors = []
    for name, theirs in slim[0]["mse", 4].items():
        values = pooled(slim, name).astype(np.float64)
        ours = find_range(seen(*values), "mse").amax
        pair = [np.mean((symmetric(values, amax) - values) ** 2) for amax in (ours, theirs)]
        assert pair[0] <= 1.01 * pair[1], name
        errors.append(pair)
    # The darkest image decides there, and the others are cut off.
    assert max(theirs / ours for ours, theirs in errors) > 10.0


@pytest.mark.slow
def test_kl_is_that_of_paddleslim(slim):
    """PaddleSlim takes seconds for each tensor of a network: here the function that it calls."""
    values = pooled(slim, "relu6_0.tmp_0")
    tail = np.abs(np.random.default_rng(0).standard_t(3, 20000)).astype(np.float32)
    tensors = [values, tail]
    exact = [np.histogram(np.abs(t), HISTOGRAM_BINS, (0.0, np.abs(t).max()))[0] for t in tensors]
    rare = np.zeros((2, HISTOGRAM_BINS), int)
    rare[0, [3, 2047]] = rare[1, [3, 1500]] = 5
    counts = [*exact, *rare]
    watch = _Watch("the test", timeout_s=200)
    wanted = _run(
        "tests.support.slim_calibration:kl", {"counts": [c.tolist() for c in counts]}, {}, watch
    )
    assert [kl_bins(c.astype(np.float64)) + 0.5 for c in counts] == wanted
    for tensor, bins in zip(tensors, wanted, strict=False):
        found = find_range(seen(tensor), "KL").amax
        # Its own histogram parts bins in two, and lengths that are alike may change places.
        assert found == pytest.approx(bins * np.abs(tensor).max() / HISTOGRAM_BINS, rel=0.1)


@pytest.mark.parametrize(
    ("amaxes", "most"),
    [
        ([1.0] * 7 + [100.0], 1.0),
        ([1.0, 2.0, 3.0, 4.0] * 2, math.inf),
        # The median is 1.5: 6 is no outlier, 6.5 is one.
        ([1.0, 1.0, 1.0, 1.5, 1.5, 2.0, 6.0], math.inf),
        ([1.0, 1.0, 1.0, 1.5, 1.5, 2.0, 6.0, 6.5], 6.0),
        ([0.0] * 8 + [1.0], math.inf),
        ([], math.inf),
    ],
)
def test_images_whose_values_are_many_times_the_others(amaxes, most):
    assert usual_amax(amaxes) == most


def test_one_image_that_a_network_cannot_read_decides_no_range():
    images = [np.abs(bell(seed)) for seed in range(15)]
    alone = find_range(seen(*images))
    wild = 100.0 * np.abs(bell(99))
    found = find_range(seen(*images, wild))
    assert alone.high < 5.0
    # What of the wild image lies among the others' values counts like these.
    assert found.high == pytest.approx(alone.high, rel=0.25)
    assert found.amax == pytest.approx(alone.amax, rel=0.25)
    assert search_mse_range(seen(*images, wild)).high > 50.0
