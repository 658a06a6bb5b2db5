"""Non-maximum suppression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fqbench.vision.geometry import Boxes


def nms(
    boxes: Boxes, scores: NDArray[np.float32], iou: float, max_boxes: int
) -> NDArray[np.intp]:
    """Indices of the boxes [n, 4] that remain, best score [n] first, at most ``max_boxes``.

    A box goes where it overlaps a better remaining one by more than ``iou`` (intersection over
    union). Of equal scores the earlier is better.
    """
    order = np.argsort(-scores, kind="stable")
    x1, y1, x2, y2 = np.asarray(boxes, dtype=np.float32)[order].T
    areas = (x2 - x1) * (y2 - y1)
    alive = np.ones(order.size, dtype=bool)
    kept: list[int] = []
    for index in range(order.size):
        if not alive[index]:
            continue
        kept.append(index)
        if len(kept) == max_boxes:
            break
        rest = index + 1 + np.flatnonzero(alive[index + 1 :])
        width = np.minimum(x2[index], x2[rest]) - np.maximum(x1[index], x1[rest])
        height = np.minimum(y2[index], y2[rest]) - np.maximum(y1[index], y1[rest])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        union = areas[index] + areas[rest] - shared
        alive[rest[shared > iou * union]] = False
    return order[kept]


def nms_by_class(
    boxes: Boxes,
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    iou: float,
    max_boxes: int,
) -> NDArray[np.intp]:
    """As ``nms``, boxes of different ``labels`` [n] never suppressing each other.

    Each class is moved to a place of its own, further off than any box is wide.
    """
    if not len(boxes):
        return np.empty(0, dtype=np.intp)
    span = np.float32(boxes.max() - boxes.min() + 1)
    return nms(boxes + (labels * span)[:, None].astype(np.float32), scores, iou, max_boxes)
