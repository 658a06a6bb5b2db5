"""What tasks draw their answers with."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fqbench.vision.image import Pixels

Color = tuple[int, int, int]

SHOWN = 0.25
"""What is surer than this is drawn: detectors find hundreds of objects that they do not believe
in."""

OVER = 0.5
"""How much of the colour of an area covers the image."""


def color(label: int) -> Color:
    """Of a class: neighbours differ most (hues by the golden ratio)."""
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1.0, 0.9, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def drawn(image: Pixels, draw: Callable[[ImageDraw.ImageDraw], None]) -> Pixels:
    """A copy of ``image`` [height, width, 3] that ``draw`` has drawn on."""
    canvas = Image.fromarray(image)
    draw(ImageDraw.Draw(canvas))
    return np.asarray(canvas)


def box(pen: ImageDraw.ImageDraw, corners: list[float], text: str, label: int) -> None:
    """The outline of x1, y1, x2, y2 with ``text`` at its upper left corner."""
    left, top, right, bottom = corners
    right, bottom = max(left, right), max(top, bottom)
    pen.rectangle((left, top, right, bottom), outline=color(label), width=2)
    pen.text((left + 3, top + 2), text, fill=color(label))


def area(image: Pixels, mask: NDArray[np.bool_], label: int) -> Pixels:
    """``image`` with the pixels of ``mask`` [height, width] in the colour of ``label``."""
    found = image.copy()
    mixed = image[mask] * (1 - OVER) + np.array(color(label)) * OVER
    found[mask] = np.rint(mixed).astype(np.uint8)
    return found
