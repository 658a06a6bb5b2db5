"""What was read, below its image."""

from __future__ import annotations

from fqbench.tasks.drawing import below
from fqbench.tasks.text_recognition.answers import Word
from fqbench.vision.image import Pixels


def draw(image: Pixels, answer: Word, scale: float) -> Pixels:
    """The image with the text below it."""
    return below(image, answer.text)
