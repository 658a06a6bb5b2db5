"""A class as text on its image."""

from __future__ import annotations

from fqbench.tasks.drawing import color, drawn
from fqbench.vision.image import Pixels


def draw(image: Pixels, answer: int) -> Pixels:
    """The number of the class in the upper left corner."""
    return drawn(image, lambda pen: pen.text((4, 4), f"class {answer}", fill=color(answer)))
