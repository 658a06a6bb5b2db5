"""Resizing: OpenCV's filters, told by literal cases computed by their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.vision.resample import resize, weights

FILTERS = ("nearest", "linear", "cubic", "area")


def opencv():
    """OpenCV where it can be imported: its wheels need system libraries that may be missing."""
    return pytest.importorskip("cv2", exc_type=ImportError)


def row(*values):
    """One row of pixels [1, n, 1]."""
    return np.array(values, dtype=np.uint8)[None, :, None]


def resized(filter_name, width, *values):
    return resize(row(*values), (1, width), filter_name)[0, :, 0].tolist()


def test_linear_shrinks_between_pixel_centres():
    assert resized("linear", 2, 0, 100, 200, 40) == [50, 120]


def test_linear_enlarges_and_repeats_the_border():
    # Centres at -0.25, 0.25, 0.75, 1.25 of a row of two pixels.
    assert resized("linear", 4, 0, 100) == [0, 25, 75, 100]


def test_linear_does_not_widen_its_filter_when_shrinking():
    # Centre 2.5 of six pixels: the two in the middle count, the others do not.
    assert resized("linear", 1, 255, 255, 10, 30, 255, 255) == [20]


def test_linear_cuts_off_in_fixed_point_where_opencv_does():
    # A third of 3 and two thirds of 2, or the reverse; weights 683 and 1365 of 2048.
    # Across, 2 * 683 + 3 * 1365 = 5461 becomes 2.67 and is rounded. Down, each product is cut
    # to quarters first: 2.67 of 2 * 683, in quarters, to 2, 7.998 of 3 * 1365 to 7; 9/4 is 2.
    values = np.array([3, 2, 2, 2, 3], dtype=np.uint8)
    assert resize(values[None, :, None], (1, 3), "linear").ravel().tolist() == [3, 2, 3]
    assert resize(values[:, None, None], (3, 1), "linear").ravel().tolist() == [2, 2, 2]


@pytest.mark.parametrize("name", ["linear", "area"])
def test_half_the_size_is_the_mean_of_four_rounded_up(name):
    image = np.array([[0, 1, 5, 6], [1, 0, 5, 5]], dtype=np.uint8)[:, :, None]
    assert resize(image, (1, 2), name).ravel().tolist() == [1, 5]


def test_cubic_between_the_middle_of_pixels():
    # 0.5 * 0 + 0.59375 * 100 - 0.09375 * 200, and mirrored with 40 repeated at the border.
    assert resized("cubic", 2, 0, 100, 200, 40) == [41, 129]


def test_cubic_uses_opencv_s_kernel():
    # At a distance of 0.5 and 1.5 the kernel with a = -0.75 is 0.59375 and -0.09375.
    assert weights(4, 2, "cubic").toarray()[0].tolist() == [0.5, 0.59375, -0.09375, 0.0]


def test_area_means_the_pixels_below_it():
    assert resized("area", 2, 10, 20, 30, 60) == [15, 45]
    # Two thirds of 3 pixels: 1.5 pixels each.
    assert resized("area", 2, 30, 60, 90) == [40, 80]


def test_area_is_linear_where_a_side_grows():
    assert resized("area", 4, 0, 100) == [0, 25, 75, 100]
    # One side grows, the other shrinks: linear looks at the pixel in the middle, area at all.
    image = np.array([[0], [90], [30]], dtype=np.uint8)[:, :, None]
    assert resize(image, (1, 2), "area").ravel().tolist() == [90, 90]
    assert resize(image, (1, 1), "area").ravel().tolist() == [40]


def test_nearest_takes_the_pixel_left_of_the_position():
    assert resized("nearest", 4, 7, 9) == [7, 7, 9, 9]
    assert resized("nearest", 2, 1, 2, 3, 4) == [1, 3]


def test_the_size_it_has_is_left_as_it_is():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert resize(image, (2, 2), "cubic") is image


def test_channels_stay_apart():
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    image[..., 1] = 200
    assert resize(image, (5, 7), "cubic").reshape(-1, 3).max(axis=0).tolist() == [0, 200, 0]


@pytest.mark.parametrize("name", ["nearest", "cubic", "area"])
@given(source=st.integers(1, 40), target=st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_weights_of_a_pixel_sum_to_one(name, source, target):
    if name == "area":
        source, target = max(source, target), min(source, target)
    matrix = weights(source, target, name)
    assert matrix.shape == (target, source)
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", FILTERS)
@given(size=st.tuples(st.integers(1, 30), st.integers(1, 30)), value=st.integers(0, 255))
@settings(deadline=None, max_examples=30)
def test_one_colour_stays_that_colour(name, size, value):
    image = np.full((9, 14, 3), value, dtype=np.uint8)
    result = resize(image, size, name)
    assert result.shape == (*size, 3)
    assert result.dtype == np.uint8
    assert (result == value).all()


@pytest.mark.parametrize(
    ("name", "most"), [("nearest", 0), ("linear", 0), ("cubic", 1), ("area", 1)]
)
@given(st.tuples(*[st.integers(1, 70)] * 4), st.booleans(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=100)
def test_agrees_with_opencv(name, most, sides, halve, seed):
    height, width, *new = sides
    if halve:
        height, width = 2 * new[0], 2 * new[1]
    cv2 = opencv()
    flag = getattr(cv2, f"INTER_{name.upper()}")
    if name == "area" and (new[0] > height or new[1] > width):
        flag = cv2.INTER_LINEAR
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    found = resize(image, tuple(new), name).astype(int)
    assert abs(found - cv2.resize(image, tuple(new[::-1]), interpolation=flag)).max() <= most
