"""What was read, on its image."""

from __future__ import annotations

import numpy as np

from fqbench.tasks.drawing import drawn
from fqbench.tasks.text_recognition.answers import Word
from fqbench.vision.image import Pixels

HEIGHT = 16
"""Of the line of text, in pixels."""


def draw(image: Pixels, answer: Word) -> Pixels:
    """The image with the text below it. Letters that the font lacks are boxes."""
    below = np.full((HEIGHT, image.shape[1], 3), 255, np.uint8)
    known = answer.text.encode("latin-1", "replace").decode("latin-1")
    line = drawn(below, lambda pen: pen.text((2, 2), known, fill=(0, 0, 0)))
    return np.concatenate([image, line])
