"""Small pictures: their sizes, and that answers are drawn where they belong."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fqbench.examine.pictures import LONGEST, picture, resized


def decoded(content: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(content))) as found:
        assert found.format == "JPEG"
        return np.asarray(found.convert("RGB"))


@pytest.mark.parametrize(
    ("size", "expected", "scale"),
    [
        ((640, 480), (320, 240), 0.5),
        ((480, 640), (240, 320), 0.5),
        ((320, 10), (320, 10), 1.0),
        ((200, 100), (200, 100), 1.0),
        ((28, 28), (168, 168), 6.0),
        ((1, 1), (160, 160), 160.0),
        # A side never vanishes.
        ((9000, 4), (320, 1), 320 / 9000),
    ],
)
def test_size(size: tuple[int, int], expected: tuple[int, int], scale: float) -> None:
    found, by = resized(np.zeros((*size, 3), np.uint8))
    assert found.shape == (*expected, 3)
    assert by == scale


def draw(image: np.ndarray, answer: Any, scale: float) -> np.ndarray:
    """A white square from the place that the answer names, in pixels of the whole image."""
    found, place = image.copy(), round(answer * scale)
    found[place : place + 20, place : place + 20] = 255
    return found


def test_answers_are_drawn_at_their_places() -> None:
    image = np.zeros((800, 640, 3), np.uint8)
    found = picture(image, 100, 400, draw)
    assert (found.width, found.height) == (256, 320)
    fp32, int8 = decoded(found.fp32), decoded(found.int8)
    assert fp32[50, 50].min() > 200
    assert fp32[170, 170].max() < 50
    assert int8[170, 170].min() > 200
    assert int8[50, 50].max() < 50
    assert not image.any()


def test_what_a_task_draws_is_bounded() -> None:
    found = picture(
        np.zeros((10, 10, 3), np.uint8), 0, 0, lambda *_: np.zeros((5000, 5000, 3), np.uint8)
    )
    assert (found.width, found.height) == (2 * LONGEST, 2 * LONGEST)


def test_a_picture_is_small() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    found = picture(noise, 0, 100, draw)
    # Photographs take a quarter of what noise does.
    assert len(found.fp32) + len(found.int8) < 120_000
