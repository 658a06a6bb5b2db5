"""Non-maximum suppression."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.vision.geometry import Boxes


def nms(
    boxes: Boxes,
    scores: NDArray[np.floating[Any]],
    iou: float,
    max_boxes: int,
    labels: NDArray[np.integer[Any]] | None = None,
) -> NDArray[np.intp]:
    """Indices of the boxes [n, 4] that remain, best score [n] first, at most ``max_boxes``.

    A box goes where it overlaps a better remaining one by more than ``iou`` (intersection over
    union). Of equal scores the earlier is better. With ``labels`` [n], boxes of different
    labels never suppress each other. (For that YOLO's own code moves each class away; 7680
    pixels a class in float32 round edges to 1/16 pixel and YOLOv5s' mAP by 0.003 points.)
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    edges = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)[order].T
    classes = np.zeros(order.size, dtype=np.int64) if labels is None else np.asarray(labels)[order]
    rivals = {label: np.flatnonzero(classes == label) for label in np.unique(classes)}
    areas = _area(edges[:2], edges[2:])
    alive = np.ones(order.size, dtype=bool)
    kept: list[int] = []
    for index, label in enumerate(classes):
        if not alive[index]:
            continue
        kept.append(index)
        if len(kept) == max_boxes:
            break
        # What is left of its class are itself and those of lower scores.
        others = rivals[label][1:]
        shared = _area(
            np.maximum(edges[:2, others], edges[:2, index, None]),
            np.minimum(edges[2:, others], edges[2:, index, None]),
        )
        apart = _overlaps(shared, areas[others] + areas[index]) <= iou
        alive[others[~apart]] = False
        rivals[label] = others[apart]
    return order[kept]


def _overlaps(shared: NDArray[np.float64], areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of pairs of boxes, of both areas' sum; 0 where both are empty."""
    union = areas - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _area(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area between the corners [2, ...]; 0 where a side would be negative."""
    width, height = np.maximum(high - low, 0)
    return np.asarray(width * height)
