"""A box of an image, or a line of text, as a model's input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.spec import Preprocess
from fqbench.spec.preprocessing import BoxCrop, TextLine
from fqbench.vision.preprocess import cut_out, prepare, text_line
from fqbench.vision.sampling import matrix, sample

CROP = BoxCrop(kind="box", size=(8, 6), expand=1.0)


def ramp(height: int, width: int) -> np.ndarray:
    """Pixels whose red is their column, green their row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=2).astype(np.uint8)


def test_a_box_of_the_size_of_the_input_is_cut_as_it_is() -> None:
    image = ramp(40, 50)
    pixels, geometry = cut_out(image, CROP, (11, 7, 6, 8))
    np.testing.assert_array_equal(pixels, image[7:15, 11:17])
    assert (geometry.scale, geometry.offset) == ((1.0, 1.0), (-7.0, -11.0))


def test_a_box_grows_to_the_ratio_of_the_input_and_then_by_as_much_as_is_asked() -> None:
    # 3x8 grows to 6x8 about its centre, and twice that is 12x16: a pixel of the input is two.
    crop = CROP.model_copy(update={"expand": 2.0})
    pixels, geometry = cut_out(ramp(40, 50), crop, (20, 16, 3, 8))
    assert geometry.scale == (0.5, 0.5)
    # The centre (21.5, 20) is at index (3, 4).
    assert pixels[4, 3].tolist() == [22, 20, 0]
    assert pixels[4, 2].tolist() == [20, 20, 0]


def test_beyond_the_image_there_is_nothing() -> None:
    pixels, _ = cut_out(np.full((10, 10, 3), 200, np.uint8), CROP, (-3, -4, 6, 8))
    assert (pixels[:4] == 0).all()
    assert (pixels[:, :3] == 0).all()
    assert (pixels[4:, 3:] == 200).all()


def test_without_a_box_all_of_the_image_is_looked_at() -> None:
    pixels, geometry = cut_out(ramp(16, 12), CROP, None)
    assert geometry.scale == (0.5, 0.5)
    assert pixels[4, 3].tolist() == [6, 8, 0]


@settings(deadline=None)
@given(
    st.tuples(st.floats(-20, 60), st.floats(-20, 60), st.floats(0, 50), st.floats(0, 50)),
    st.floats(0.5, 2),
)
def test_the_geometry_says_where_pixels_came_from(
    box: tuple[float, float, float, float], expand: float
) -> None:
    crop = BoxCrop(kind="box", size=(32, 24), expand=expand)
    image = ramp(60, 60)
    pixels, geometry = cut_out(image, crop, box)
    for row, column in ((5, 5), (16, 12), (31, 23)):
        x = (column + 0.5 - geometry.offset[1]) / geometry.scale[1] - 0.5
        y = (row + 0.5 - geometry.offset[0]) / geometry.scale[0] - 0.5
        if 0 <= x <= 59 and 0 <= y <= 59:
            assert abs(int(pixels[row, column, 0]) - x) <= 0.55
            assert abs(int(pixels[row, column, 1]) - y) <= 0.55


def test_it_samples_as_opencv() -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    crop = BoxCrop(kind="box", size=(64, 48))
    pixels, _ = cut_out(image, crop, (30.3, 10.7, 41.0, 77.0))
    scale = min(48 / 41.0, 64 / 77.0) / 1.25
    centre = (30.3 + 20.5, 10.7 + 38.5)
    move = np.array([[scale, 0, 24 - scale * centre[0]], [0, scale, 32 - scale * centre[1]]])
    theirs = cv2.warpAffine(image, move, (48, 64), flags=cv2.INTER_LINEAR)
    assert np.abs(pixels.astype(int) - theirs).mean() < 0.5


def test_a_line_keeps_its_ratio_and_zeros_follow_in_the_tensor() -> None:
    line = TextLine(kind="line", size=(8, 32))
    pixels, _ = text_line(np.full((16, 33, 3), 200, np.uint8), line)
    assert pixels.shape == (8, 17, 3)  # 16.5 is rounded up
    preprocess = Preprocess(resize=line, scale=1 / 127.5, mean=(1.0,))
    tensor = prepare(np.full((16, 33, 3), 255, np.uint8), preprocess).tensor
    assert tensor.shape == (1, 3, 8, 32)
    np.testing.assert_allclose(tensor[..., :17], 1)
    assert (tensor[..., 17:] == 0).all()


def test_a_line_that_is_too_long_becomes_narrower() -> None:
    pixels, geometry = text_line(
        np.zeros((10, 900, 3), np.uint8), TextLine(kind="line", size=(8, 32))
    )
    assert pixels.shape == (8, 32, 3)
    assert geometry.scale == (0.8, 32 / 900)


def test_values_between_others_are_interpolated() -> None:
    values = np.array([[[0.0, 10.0], [20.0, 30.0]]])
    rows, columns = matrix(np.array([0.5, 2.0]), 2), matrix(np.array([-1.0, 0.25]), 2)
    np.testing.assert_allclose(sample(values, rows, columns)[0], [[10, 12.5], [20, 22.5]])
    rows = matrix(np.array([-0.5, 1.25, 3]), 2, "zero")
    np.testing.assert_allclose(rows.toarray(), [[0.5, 0], [0, 0.75], [0, 0]])
