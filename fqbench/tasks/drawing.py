"""What tasks draw their answers with."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fqbench.vision.image import Pixels

Color = tuple[int, int, int]
_Value = TypeVar("_Value", bound=np.generic)

SHOWN = 0.25
"""What is surer than this is drawn: detectors find hundreds of objects that they do not believe
in."""

OVER = 0.5
"""How much of the colour of an area covers the image."""

LETTERS = 13
"""Height of letters, in pixels of a picture as it is shown."""

LINE = 20
"""Height of a line of text below an image."""


def color(label: int) -> Color:
    """Of a class: neighbours differ most (hues by the golden ratio)."""
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1.0, 0.9, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def drawn(image: Pixels, draw: Callable[[ImageDraw.ImageDraw], None]) -> Pixels:
    """A copy of ``image`` [height, width, 3] that ``draw`` has drawn on."""
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    pen.font = ImageFont.load_default(LETTERS)
    draw(pen)
    return np.asarray(canvas)


def box(pen: ImageDraw.ImageDraw, corners: list[float], text: str, label: int) -> None:
    """The outline of x1, y1, x2, y2 with ``text`` at its upper left corner, on a dark ground."""
    left, top, right, bottom = corners
    right, bottom = max(left, right), max(top, bottom)
    pen.rectangle((left, top, right, bottom), outline=color(label), width=2)
    place = (max(left, 0) + 3, max(top, 0) + 2)
    pen.rectangle(pen.textbbox(place, text), fill=(0, 0, 0))
    pen.text(place, text, fill=(255, 255, 255))


def area(image: Pixels, mask: NDArray[np.bool_], label: int) -> Pixels:
    """``image`` with the pixels of ``mask`` [height, width] in the colour of ``label``."""
    found = image.copy()
    mixed = image[mask] * (1 - OVER) + np.array(color(label)) * OVER
    found[mask] = np.rint(mixed).astype(np.uint8)
    return found


def stretched(values: NDArray[_Value], size: tuple[int, int]) -> NDArray[_Value]:
    """``values`` [h, w] at ``size`` (height, width), each pixel that of the nearest value."""
    height, width = values.shape
    rows, columns = np.arange(size[0]) * height // size[0], np.arange(size[1]) * width // size[1]
    found: NDArray[_Value] = values[rows[:, None], columns]
    return found


def below(image: Pixels, text: str) -> Pixels:
    """The image with a line of ``text`` below it. Letters that the font lacks are boxes."""
    strip = np.full((LINE, image.shape[1], 3), 255, np.uint8)
    known = text.encode("latin-1", "replace").decode("latin-1")
    line = drawn(strip, lambda pen: pen.text((2, 2), known, fill=(0, 0, 0)))
    return np.concatenate([image, line])
