"""Where the pixels of a model's input lie in the image they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""[n, 4]: x1, y1, x2, y2 in pixels."""


@dataclass(frozen=True)
class Geometry:
    """``input = image * scale + offset``, each (y, x); ``image_size``: height, width.

    Coordinates are of edges: 0 is the left edge of the first pixel, the width the right edge of
    the last.
    """

    image_size: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]

    def to_image(self, boxes: Boxes) -> Boxes:
        """Boxes [n, 4] in pixels of the input as boxes in pixels of the image, clipped to it."""
        (scale_y, scale_x), (y, x) = self.scale, self.offset
        moved = np.asarray(boxes, dtype=np.float64) - (x, y, x, y)
        return self.clip(moved / (scale_x, scale_y, scale_x, scale_y))

    def clip(self, boxes: NDArray[np.floating[Any]]) -> Boxes:
        """Boxes [n, 4] in pixels of the image, cut at its borders."""
        height, width = self.image_size
        return np.clip(boxes, 0, (width, height, width, height)).astype(np.float32)
