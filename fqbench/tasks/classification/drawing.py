"""A class as text below its image."""

from __future__ import annotations

from fqbench.tasks.classification.answers import TopClass
from fqbench.tasks.classification.examining import says
from fqbench.tasks.drawing import below
from fqbench.vision.image import Pixels


def draw(image: Pixels, answer: TopClass, scale: float) -> Pixels:
    """The number of the class and its probability below the image."""
    return below(image, says(answer))
