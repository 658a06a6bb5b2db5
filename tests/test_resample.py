"""Resizing: OpenCV's filters, told by literal cases computed by their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.vision.resample import resize, weights

FILTERS = ("nearest", "linear", "cubic", "area")


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


def test_cubic_uses_opencv_s_kernel():
    # At a distance of 0.5 and 1.5 the kernel with a = -0.75 is 0.59375 and -0.09375.
    assert weights(4, 2, "cubic").toarray()[0].tolist() == [0.5, 0.59375, -0.09375, 0.0]


def test_area_means_the_pixels_below_it():
    assert resized("area", 2, 10, 20, 30, 60) == [15, 45]
    # Two thirds of 3 pixels: 1.5 pixels each.
    assert resized("area", 2, 30, 60, 90) == [40, 80]


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


@pytest.mark.parametrize("name", FILTERS)
@given(source=st.integers(1, 40), target=st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_weights_of_a_pixel_sum_to_one(name, source, target):
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
