"""Percentiles, ratios and their intervals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.measure.stats import Interval, central, latency, ratio

seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(5, 12), st.integers(1, 6))


def noisy(seed: int, size: tuple[int, int], spread: float = 0.1) -> list[list[float]]:
    """Times around 1 s, in blocks."""
    return np.random.default_rng(seed).lognormal(0, spread, size).tolist()


def test_percentiles_are_milliseconds_interpolated_between_times():
    found = latency([[0.004, 0.001], [0.003, 0.002]])
    assert found.p50.value == pytest.approx(2.5)
    assert found.p90 == pytest.approx(3.7)
    assert found.p99 == pytest.approx(3.97)
    assert found.mean == pytest.approx(2.5)
    assert found.minimum == pytest.approx(1.0)
    assert found.n == 4


def test_interval_spans_medians_of_resampled_blocks():
    # Two draws of two blocks: medians 1, 2 and 3 with chances 1/4, 1/2, 1/4.
    found = latency([[0.001, 0.001], [0.003, 0.003]]).p50
    assert found == Interval(pytest.approx(2.0), pytest.approx(1.0), pytest.approx(3.0))


def test_blocks_of_different_lengths_weigh_by_their_times():
    assert latency([[0.001] * 3, [0.009]]).p50.value == pytest.approx(1.0)


def test_one_block_gives_an_interval_of_no_width():
    assert latency([[0.001, 0.002, 0.006]]).p50 == Interval(2.0, 2.0, 2.0)


def test_one_time_is_every_percentile():
    found = latency([[0.25]])
    assert found.p50 == Interval(250.0, 250.0, 250.0)
    assert (found.p90, found.p99, found.mean, found.minimum, found.n) == (250, 250, 250, 250, 1)


def test_ratio_is_of_medians():
    assert ratio([[2.0, 2.0], [4.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]) == Interval(3.0, 2.0, 4.0)


def test_what_slows_a_round_slows_both_sides():
    measured = [[1.0], [7.0], [2.0], [30.0], [3.0]]
    reference = [[2 * t for t in block] for block in measured]
    assert ratio(reference, measured) == Interval(2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [[]],
        [[], []],
        [[1.0], []],
        [[0.0]],
        [[-0.001]],
        [[math.nan]],
        [[math.inf]],
        [[0.1], [0.0]],
    ],
)
def test_unusable_times_are_refused(blocks):
    with pytest.raises(ValueError, match=r"no times were recorded|not a positive number"):
        latency(blocks)
    with pytest.raises(ValueError, match=r"no times were recorded|not a positive number"):
        ratio(blocks, [[1.0]] * len(blocks))
    with pytest.raises(ValueError, match=r"no times were recorded|not a positive number"):
        ratio([[1.0]] * len(blocks), blocks)


def test_different_numbers_of_rounds_are_refused():
    with pytest.raises(ValueError, match="2 rounds against 1"):
        ratio([[1.0], [1.0]], [[1.0]])


def test_central_leaves_out_two_and_a_half_percent_on_each_side():
    assert central(np.arange(1001.0)) == (pytest.approx(25.0), pytest.approx(975.0))


def test_same_seed_gives_the_same_interval():
    blocks = noisy(0, (12, 3))
    assert latency(blocks, seed=5) == latency(blocks, seed=5)
    assert latency(blocks, seed=5).p50 != latency(blocks, seed=6).p50


@settings(deadline=None, max_examples=12, derandomize=True)
@given(seeds, sizes)
def test_interval_holds_the_value(seed, size):
    p50 = latency(noisy(seed, size)).p50
    assert p50.low <= p50.value <= p50.high
    speedup = ratio(noisy(seed, size), noisy(seed + 1, size))
    assert speedup.low <= speedup.value <= speedup.high


@settings(deadline=None, max_examples=10)
@given(seeds, sizes, st.sampled_from([0.25, 2.0, 1024.0]))
def test_unit_of_time_does_not_matter(seed, size, factor):
    blocks, other = noisy(seed, size), noisy(seed + 1, size)
    scaled, other_scaled = (
        [[factor * t for t in b] for b in blocks],
        [[factor * t for t in b] for b in other],
    )
    assert latency(scaled).p50.high == pytest.approx(factor * latency(blocks).p50.high)
    assert ratio(scaled, other_scaled) == ratio(blocks, other)


@settings(deadline=None, max_examples=10)
@given(seeds, sizes)
def test_nothing_is_faster_than_itself(seed, size):
    blocks = noisy(seed, size)
    assert ratio(blocks, blocks) == Interval(1.0, 1.0, 1.0)


@settings(deadline=None, max_examples=10)
@given(seeds, sizes)
def test_sides_swapped_invert_the_ratio(seed, size):
    one, other = noisy(seed, size), noisy(seed + 1, size)
    there, back = ratio(one, other), ratio(other, one)
    assert back.value == pytest.approx(1 / there.value)


def test_interval_covers_the_true_ratio_about_as_often_as_it_says():
    """A machine slowed for whole rounds at a time, and a model that is twice as fast."""
    covered, widths = 0, []
    for seed in range(40):
        random = np.random.default_rng(seed)
        slow = random.lognormal(0, 0.3, (20, 1))
        reference = 2 * slow * random.lognormal(0, 0.05, (20, 5))
        measured = slow * random.lognormal(0, 0.05, (20, 5))
        found = ratio(reference.tolist(), measured.tolist(), seed)
        covered += found.low <= 2 <= found.high
        widths.append(found.high - found.low)
    assert covered >= 34  # of 40; 38 are expected
    assert np.mean(widths) < 0.4  # far narrower than the rounds differ
