"""The histogram of a tensor: where its values are counted, and what no order of images changes."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fqbench.quantize.histogram import BINS, SMALLEST_LIMIT, VIEWED, TensorHistogram

quick = settings(deadline=None, max_examples=60)
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
IMAGES = st.lists(
    st.lists(
        st.one_of(st.floats(-8.0, 8.0, width=32), FLOAT32, st.just(0.0)), min_size=1, max_size=8
    ),
    min_size=1,
    max_size=6,
)
ZERO = BINS // 2
"""The bin that begins at 0."""


def seen(*images):
    histogram = TensorHistogram()
    for image in images:
        histogram.add(np.array(image, np.float32))
    return histogram


def test_values_are_counted_in_even_bins():
    histogram = seen([[0.0, 3.0], [-1.0, 3.0]], [1.0, 0.0])
    assert (histogram.low, histogram.high, histogram.amax) == (-1.0, 3.0, 3.0)
    assert histogram.image_amax == [3.0, 1.0]
    assert (histogram.limit, histogram.width) == (4.0, 2.0**-11)
    places = np.flatnonzero(histogram.counts)
    assert places.tolist() == [ZERO - 2048, ZERO, ZERO + 2048, ZERO + 6144]
    assert histogram.counts[places].tolist() == [1, 2, 1, 2]


def test_zero_least_and_largest_value_stand_for_their_bins_and_centres_for_the_others():
    values, counts = seen([0.0, 0.0, 1.0, 6.0, 6.0, 6.0, -0.25]).occupied()
    assert values.tolist() == [-0.25, 0.0, 1.0 + 2.0**-11, 6.0]
    assert counts.tolist() == [1.0, 2.0, 1.0, 3.0]


def test_a_limit_is_above_a_power_of_two_itself():
    histogram = seen([0.5], [1.0])
    assert histogram.limit == 2.0
    assert np.flatnonzero(histogram.counts).tolist() == [ZERO + 2048, ZERO + 4096]


def test_magnitudes_of_both_signs_fall_into_even_bins():
    assert seen([-4.0, 0.1, 0.9, 1.5, -1.5, 3.5]).magnitudes(4).tolist() == [2.0, 2.0, 0.0, 2.0]


def test_a_bin_that_lies_across_two_is_parted():
    histogram = seen([3.0] * 99, [0.999999] * 100, [1.5] * 200)
    thirds = histogram.magnitudes(3)
    assert thirds.tolist() == [100.0, 200.0, 99.0]
    # Ends at 0.9999: four fifths of the bin [0.99951, 1).
    fifths = seen([0.9999 * 5.0], [0.9998] * 100).magnitudes(5)
    assert fifths.sum() == 101.0
    assert fifths[0] == pytest.approx(100.0 * (0.9999 - 0.9990234375) / 2.0**-10, abs=0.1)


def test_zeros_are_counted_whether_they_come_first_or_last():
    first, last = seen([0.0, 0.0], [2.0]), seen([2.0], [0.0, 0.0])
    assert first.counts[ZERO] == last.counts[ZERO] == 2
    assert first.image_amax == [0.0, 2.0]


def test_nothing_but_zeros():
    histogram = seen([0.0, -0.0])
    assert (histogram.low, histogram.high, histogram.amax, histogram.limit) == (0, 0, 0, 0)
    assert [part.tolist() for part in histogram.occupied()] == [[0.0], [2.0]]


def test_nothing_at_all():
    histogram = seen([], [math.nan, math.inf])
    assert (histogram.low, histogram.high) == (math.inf, -math.inf)
    assert (histogram.amax, histogram.image_amax, histogram.counts.sum()) == (0.0, [], 0)


def test_what_is_not_finite_is_left_out():
    histogram = seen([math.nan, 1.0, -math.inf, -2.0, math.inf])
    assert (histogram.low, histogram.high, histogram.counts.sum()) == (-2.0, 1.0, 2)


@pytest.mark.parametrize("value", [3.4028234663852886e38, 1.0, 2.0**-100, 2.0**-126, 2.0**-149])
def test_magnitudes_from_the_largest_to_the_least_of_float32(value):
    histogram = seen([value, -value, 0.0])
    assert (histogram.low, histogram.high) == (-value, value)
    assert histogram.limit > value
    assert histogram.limit >= SMALLEST_LIMIT
    assert histogram.counts.sum() == 3
    assert histogram.magnitudes(4).sum() == 3.0


def test_of_a_large_tensor_every_column_counts_alike():
    columns = np.broadcast_to(np.arange(512, dtype=np.float32), (2, 512, 512))
    histogram = TensorHistogram()
    histogram.add(columns)
    _, counts = histogram.occupied()
    assert columns.size > VIEWED >= counts.sum() > VIEWED // 4
    assert len(counts) == 512
    assert counts.max() - counts.min() <= 1


@quick
@given(IMAGES)
@example([[0.0], [1.0, -1.0], [2.0], [4.0, 3.9999998]])
def test_a_histogram_that_grew_is_the_one_made_at_once(images):
    histogram = seen(*images)
    flat = np.concatenate([np.array(image, np.float32) for image in images]).astype(np.float64)
    assert histogram.counts.sum() == flat.size
    if histogram.limit > 0.0:
        reach = (-histogram.limit, histogram.limit)
        assert np.array_equal(histogram.counts, np.histogram(flat, BINS, reach)[0])


@quick
@given(IMAGES, st.randoms(use_true_random=False))
def test_the_order_of_images_changes_nothing(images, random):
    shuffled = random.sample(images, len(images))
    one, other = seen(*images), seen(*shuffled)
    assert (one.low, one.high, one.limit) == (other.low, other.high, other.limit)
    assert np.array_equal(one.counts, other.counts)
    assert sorted(one.image_amax) == sorted(other.image_amax)


@quick
@given(IMAGES)
@example([[7.5, -1.0, 32768.0]])
def test_each_value_is_within_a_bin_of_what_stands_for_it(images):
    histogram = seen(*images)
    flat = np.sort(np.concatenate([np.array(image, np.float64) for image in images]))
    values, counts = histogram.occupied()
    stand_ins = np.repeat(values, counts.astype(int))
    assert np.all(np.diff(values) >= 0)
    assert np.abs(stand_ins - flat).max() <= histogram.width
    assert histogram.low <= values[0] <= values[-1] <= histogram.high
    if histogram.amax > 0.0:
        assert histogram.magnitudes(100).sum() == pytest.approx(flat.size)


@quick
@given(IMAGES, st.lists(st.floats(-1e3, 1e3), max_size=8))
def test_looking_up_a_bin_finds_what_searching_finds(images, others):
    histogram = seen(*images)
    occupied, _ = histogram.occupied()
    wanted = np.array([*others, *occupied, *np.nextafter(occupied, 1e39), histogram.limit])
    found = histogram.search(occupied)(wanted)
    assert found.tolist() == np.searchsorted(occupied, wanted).tolist()
