"""Boxes on their image."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.drawing import SHOWN, box, drawn
from fqbench.vision.image import Pixels


def draw(image: Pixels, answer: Detections, scale: float) -> Pixels:
    """Each box that is sure enough, with its class and its score."""

    def lines(pen: ImageDraw.ImageDraw) -> None:
        for index in np.flatnonzero(answer.scores > SHOWN)[::-1]:
            label, corners = int(answer.labels[index]), (answer.boxes[index] * scale).tolist()
            box(pen, corners, f"{label} {answer.scores[index]:.2f}", label)

    return drawn(image, lines)
