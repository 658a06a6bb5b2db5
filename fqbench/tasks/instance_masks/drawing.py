"""Masks on their image."""

from __future__ import annotations

import numpy as np

from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.drawing import SHOWN, area, stretched
from fqbench.tasks.instance_masks.answers import Instances
from fqbench.tasks.instance_masks.runs import decode
from fqbench.vision.image import Pixels


def draw(image: Pixels, answer: Instances, scale: float) -> Pixels:
    """Each mask that is sure enough, in the colour of its class, with its box."""
    from fqbench.tasks.detection.drawing import draw as draw_boxes

    found, (height, width, _) = image, image.shape
    for index in np.flatnonzero(answer.scores > SHOWN)[::-1]:
        mask = stretched(decode(answer.masks[index], answer.image_size), (height, width))
        found = area(found, mask, int(answer.labels[index]))
    return draw_boxes(found, Detections(answer.boxes, answer.scores, answer.labels), scale)
