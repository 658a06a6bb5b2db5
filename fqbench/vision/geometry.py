"""Where the pixels of a model's input lie in the image they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""[n, 4]: x1, y1, x2, y2 in pixels."""


Box = tuple[float, float, float, float]
"""x, y of the upper left corner, width, height in pixels."""


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
        """Boxes [n, 4] in pixels of the input as boxes in pixels of the image, cut to it."""
        height, width = self.image_size
        borders = np.array((width, height, width, height), dtype=np.float32)
        return np.clip(self.uncut(boxes), 0, borders)

    def places(
        self, input_size: tuple[int, int], grid: tuple[int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where the centres of the image's rows and columns lie in a grid over the input.

        As indices of the grid's rows and columns, 0 the centre of the first.
        """
        found = []
        for axis in (0, 1):
            centers = np.arange(self.image_size[axis]) + 0.5
            inside = centers * self.scale[axis] + self.offset[axis]
            found.append(inside * (grid[axis] / input_size[axis]) - 0.5)
        return found[0], found[1]

    def uncut(self, boxes: Boxes) -> Boxes:
        """As ``to_image``, but whole; beyond what float32 holds they are infinite."""
        (scale_y, scale_x), (y, x) = self.scale, self.offset
        moved = np.asarray(boxes, dtype=np.float64) - (x, y, x, y)
        with np.errstate(over="ignore"):
            return (moved / (scale_x, scale_y, scale_x, scale_y)).astype(np.float32)
