"""Percentiles, ratios and their intervals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.measure.stats import (
    Interval,
    central,
    excess_p,
    hodges_lehmann,
    latency,
    ratio,
)

seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(1, 6))
T2 = 4.302652729749464
"""Student's t of two degrees of freedom: 2.5 % are above it."""
STOPPING = 1.15
"""Errors are taken so much larger, since timing ends where they look small."""


def noisy(seed: int, size: tuple[int, int, int], spread: float = 0.1) -> list[list[list[float]]]:
    """Times around 1 s, launches x rounds x times."""
    return np.random.default_rng(seed).lognormal(0, spread, size).tolist()


def constant(*launches: float) -> list[list[list[float]]]:
    """One round of one time for each launch."""
    return [[[time]] for time in launches]


def test_percentiles_are_milliseconds_interpolated_between_times():
    found = latency([[[0.004, 0.001], [0.003, 0.002]]])
    assert found.p50.value == pytest.approx(2.5)
    assert found.p90 == pytest.approx(3.7)
    assert found.p99 == pytest.approx(3.97)
    assert found.mean == pytest.approx(2.5)
    assert found.minimum == pytest.approx(1.0)
    assert found.n == 4


def test_median_is_of_all_times_of_all_launches():
    assert latency([[[0.001] * 3], [[0.009]]]).p50.value == pytest.approx(1.0)


def test_median_of_launches_that_differ_is_between_the_middles_of_fastest_and_slowest():
    # None or all of a launch's times are below the median: the quantiles 0.1 and 0.9 of 5 launches.
    launches = [[[0.001 * i + 0.00001 * j for j in range(-50, 51)]] for i in range(1, 6)]
    found = latency(launches).p50
    assert found.value == pytest.approx(3.0)
    assert (found.low, found.high) == (pytest.approx(1.0, abs=0.02), pytest.approx(5.0, abs=0.02))


def test_median_of_like_launches_is_sharp():
    # Below 2 are 40, 50 and 60 % of the times: a standard error of 0.0577, times t 0.248.
    times = np.linspace(1.0, 3.0, 101)
    launches = [[(0.001 * (times + shift)).tolist()] for shift in (0.2, 0.0, -0.2)]
    found = latency(launches).p50
    everything = 1e3 * np.concatenate([launch[0] for launch in launches])
    reach = STOPPING * T2 * 0.1 / math.sqrt(3)
    expected = np.quantile(everything, (0.5 - reach, 0.5 + reach))
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.02)


def test_one_round_gives_the_extremes():
    assert latency([[[0.001, 0.002, 0.006]]]).p50 == Interval(2.0, 1.0, 6.0)
    found = ratio([[[2.0, 3.0, 8.0]]], [[[1.0, 1.5]]])
    assert found == Interval(pytest.approx(2.4), pytest.approx(2 / 1.5), pytest.approx(8.0))


def test_one_time_is_every_percentile():
    found = latency([[[0.25]]])
    assert found.p50 == Interval(250.0, 250.0, 250.0)
    assert (found.p90, found.p99, found.mean, found.minimum, found.n) == (250, 250, 250, 250, 1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([5.0], 5.0), ([1.0, 2.0], 1.5), ([0.0, 1.0, 5.0], 1.75), ([1.0, 2.0, 3.0, 1000.0], 2.75)],
)
def test_hodges_lehmann_is_the_median_of_pairwise_means(values, expected):
    # Of 0, 1, 5: 0, 0.5, 1, 2.5, 3, 5. Of 1, 2, 3, 1000: 1, 1.5, 2, 2, 2.5, 3 and four above 500.
    assert hodges_lehmann(values) == expected


def test_ratio_is_the_geometric_mean_of_launches_with_students_t():
    found = ratio(constant(2.0, 4.0, 8.0), constant(1.0, 1.0, 1.0))
    # Logarithms log 2 times 1, 2, 3: a standard error of log 2 / sqrt 3.
    reach = 2 ** (STOPPING * T2 / math.sqrt(3))
    expected = Interval(*(pytest.approx(x) for x in (4.0, 4 / reach, 4 * reach)))
    assert found == expected


def test_confidence_widens_the_interval():
    sides = constant(2.0, 4.0, 8.0), constant(1.0, 1.0, 1.0)
    # Student's t of two degrees of freedom and 25 % above is 0.8165 = sqrt(2 / 3).
    found = ratio(*sides, confidence=0.5)
    assert found.high / found.value == pytest.approx(2 ** (STOPPING * math.sqrt(2) / 3))


def test_few_launches_are_cut_into_batches_of_rounds():
    batched = ratio([[[2.0], [4.0], [8.0]]], [[[1.0]] * 3])
    assert batched == ratio(constant(2.0, 4.0, 8.0), constant(1.0, 1.0, 1.0))
    # Twenty rounds make ten batches, each of the same two ratios.
    found = ratio([[[1.0], [4.0]] * 10], [[[1.0]] * 20])
    assert found == Interval(*[pytest.approx(2.0)] * 3)


def test_a_burst_does_not_move_a_launch():
    launch = [[2.0]] * 7
    struck = [[2.0]] * 4 + [[900.0]] + [[2.0]] * 2
    assert ratio([launch, struck, launch], [[[1.0]] * 7] * 3).value == pytest.approx(2.0)


def test_what_slows_a_round_slows_both_sides():
    measured = [[[1.0], [7.0], [2.0]], [[30.0], [3.0]], [[1.0]]]
    reference = [[[2 * t for t in block] for block in launch] for launch in measured]
    assert ratio(reference, measured) == Interval(*[pytest.approx(2.0)] * 3)


def test_p_value_is_of_students_t():
    # The logarithms of the ratio are log 2 times 1, 2, 3; t is 2 sqrt 3 / 1.15 against no excess.
    sides = constant(1.0, 1.0, 1.0), constant(2.0, 4.0, 8.0)
    assert excess_p(*sides, 0.0) == pytest.approx(0.0473986, abs=1e-6)
    assert excess_p(*sides, 3.0) == pytest.approx(0.5)
    assert excess_p(*sides[::-1], 0.0) == pytest.approx(1 - 0.0473986, abs=1e-6)


def test_p_value_without_any_spread_is_certain():
    sides = constant(1.0, 1.0, 1.0), constant(2.0, 2.0, 2.0)
    assert excess_p(*sides, 0.5) == 0.0
    assert excess_p(*sides, 1.5) == 1.0


def test_one_round_proves_no_excess():
    assert excess_p([[[1.0, 1.0]]], [[[9.0, 9.0]]], 0.02) == 1.0


@pytest.mark.parametrize(
    "launches",
    [
        [],
        [[]],
        [[[]]],
        [[[1.0]], []],
        [[[1.0], []]],
        [[[0.0]]],
        [[[-0.001]]],
        [[[math.nan]]],
        [[[math.inf]]],
        [[[0.1], [0.0]]],
        [[[0.1, math.nan]], [[0.1]]],
    ],
)
def test_unusable_times_are_refused(launches):
    good = [[[1.0]] * len(blocks) for blocks in launches]
    refused = pytest.raises(ValueError, match=r"no times were recorded|not a positive number")
    with refused:
        latency(launches)
    for sides in ((launches, good), (good, launches)):
        with refused:
            ratio(*sides)
        with refused:
            excess_p(*sides, 0.02)


@pytest.mark.parametrize("compare", [ratio, lambda a, b: excess_p(b, a, 0.02)])
def test_different_numbers_of_launches_or_rounds_are_refused(compare):
    with pytest.raises(ValueError, match="2 launches against 1"):
        compare(constant(1.0, 1.0), constant(1.0))
    with pytest.raises(ValueError, match="2 rounds against 1"):
        compare([[[1.0], [1.0]]], [[[1.0]]])


def test_central_leaves_out_two_and_a_half_percent_on_each_side():
    assert central(np.arange(1001.0)) == (pytest.approx(25.0), pytest.approx(975.0))


@settings(deadline=None, max_examples=40)
@given(seeds, sizes)
def test_interval_holds_the_value(seed, size):
    p50 = latency(noisy(seed, size)).p50
    assert p50.low <= p50.value <= p50.high
    speedup = ratio(noisy(seed, size), noisy(seed + 1, size))
    assert speedup.low <= speedup.value <= speedup.high


@settings(deadline=None, max_examples=40)
@given(seeds, sizes, st.sampled_from([0.25, 2.0, 1024.0]))
def test_unit_of_time_does_not_matter(seed, size, factor):
    launches, other = noisy(seed, size), noisy(seed + 1, size)
    scaled, other_scaled = (
        [[[factor * t for t in block] for block in launch] for launch in side]
        for side in (launches, other)
    )
    assert latency(scaled).p50.high == pytest.approx(factor * latency(launches).p50.high)
    assert ratio(scaled, other_scaled) == ratio(launches, other)


@settings(deadline=None, max_examples=40)
@given(seeds, sizes)
def test_nothing_is_faster_than_itself(seed, size):
    launches = noisy(seed, size)
    found = ratio(launches, launches)
    assert found.value == 1.0
    assert excess_p(launches, launches, 0.001) == 1.0


@settings(deadline=None, max_examples=40)
@given(seeds, sizes)
def test_sides_swapped_invert_the_ratio(seed, size):
    one, other = noisy(seed, size), noisy(seed + 1, size)
    there, back = ratio(one, other), ratio(other, one)
    assert back.value == pytest.approx(1 / there.value)
    assert back.low == pytest.approx(1 / there.high)


@settings(deadline=None, max_examples=40)
@given(seeds, st.tuples(st.integers(3, 6), st.integers(1, 12), st.integers(1, 6)))
def test_p_value_and_interval_agree(seed, size):
    """The end of an interval of 95 % is the tolerance whose p-value is 2.5 %."""
    one, other = noisy(seed, size), noisy(seed + 1, size)
    assert excess_p(other, one, ratio(one, other).low - 1) == pytest.approx(0.025)
