"""Classes of pixels on their image."""

from __future__ import annotations

import numpy as np

from fqbench.tasks.drawing import area, stretched
from fqbench.tasks.segmentation.answers import ClassMap
from fqbench.vision.image import Pixels


def draw(image: Pixels, answer: ClassMap, scale: float) -> Pixels:
    """Every class but 0, the background of most data sets, in its colour."""
    height, width, _ = image.shape
    found, labels = image, stretched(answer.labels, (height, width))
    for label in np.unique(labels[labels > 0]).tolist():
        found = area(found, labels == label, label)
    return found
