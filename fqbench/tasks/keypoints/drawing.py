"""Keypoints on their image."""

from __future__ import annotations

from PIL import ImageDraw

from fqbench.tasks.drawing import SHOWN, color, drawn
from fqbench.tasks.keypoints.answers import Poses
from fqbench.vision.image import Pixels

RADIUS = 3
"""Of a dot, in pixels."""


def draw(image: Pixels, answer: Poses, scale: float) -> Pixels:
    """The keypoints that are sure enough of each person that is, one colour a person."""

    def dots(pen: ImageDraw.ImageDraw) -> None:
        for person, points in enumerate(answer.keypoints):
            places = points * (scale, scale, 1.0)
            for x, y, sure in places.tolist() if answer.scores[person] > SHOWN else ():
                if sure > SHOWN:
                    pen.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), color(person))

    return drawn(image, dots)
