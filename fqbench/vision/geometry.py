"""Where the pixels of a model's input lie in the image they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""[n, 4]: x1, y1, x2, y2 in pixels."""


@dataclass(frozen=True)
class Geometry:
    """``input = image * scale + offset``, each (y, x); ``image_size``: height, width."""

    image_size: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]

    def to_image(self, boxes: Boxes) -> Boxes:
        """Boxes [n, 4] in pixels of the input as boxes in pixels of the image, clipped to it."""
        (height, width), (scale_y, scale_x), (y, x) = self.image_size, self.scale, self.offset
        moved = np.asarray(boxes, dtype=np.float64) - (x, y, x, y)
        moved /= (scale_x, scale_y, scale_x, scale_y)
        return self.clip(moved.astype(np.float32))

    def clip(self, boxes: Boxes) -> Boxes:
        """Boxes [n, 4] in pixels of the image, cut at its borders."""
        height, width = self.image_size
        return np.clip(boxes, 0, np.array([width, height, width, height], dtype=np.float32))
