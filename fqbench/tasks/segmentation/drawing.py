"""Classes of pixels on their image."""

from __future__ import annotations

import numpy as np

from fqbench.tasks.drawing import area
from fqbench.tasks.segmentation.answers import ClassMap
from fqbench.vision.image import Pixels


def draw(image: Pixels, answer: ClassMap) -> Pixels:
    """Every class but 0, the background of most data sets, in its colour."""
    found = image
    for label in np.unique(answer.labels[answer.labels > 0]).tolist():
        found = area(found, answer.labels == label, label)
    return found
