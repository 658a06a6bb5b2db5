"""Non-maximum suppression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fqbench.vision.geometry import Boxes


def nms(
    boxes: Boxes,
    scores: NDArray[np.floating],
    iou: float,
    max_boxes: int,
    labels: NDArray[np.integer] | None = None,
) -> NDArray[np.intp]:
    """Indices of the boxes [n, 4] that remain, best score [n] first, at most ``max_boxes``.

    A box goes where it overlaps a better remaining one by more than ``iou`` (intersection over
    union). Of equal scores the earlier is better. With ``labels`` [n], boxes of different
    labels never suppress each other.
    """
    rest = np.argsort(-np.asarray(scores), kind="stable")
    edges = np.asarray(boxes, dtype=np.float64)[rest].T
    classes = np.zeros(rest.size, dtype=np.int64) if labels is None else np.asarray(labels)[rest]
    kept: list[np.intp] = []
    while rest.size and len(kept) < max_boxes:
        kept.append(rest[0])
        alive = (classes != classes[0]) | (_overlaps(edges) <= iou)
        # Whatever its area, a box is no rival of itself.
        alive[0] = False
        rest, edges, classes = rest[alive], edges[:, alive], classes[alive]
    return np.array(kept, dtype=np.intp)


def _overlaps(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of the first box with each, ``edges`` [4, n]; 0 where both are empty."""
    x1, y1, x2, y2 = edges
    width = np.minimum(x2, x2[0]) - np.maximum(x1, x1[0])
    height = np.minimum(y2, y2[0]) - np.maximum(y1, y1[0])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    areas = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    union = areas + areas[0] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
