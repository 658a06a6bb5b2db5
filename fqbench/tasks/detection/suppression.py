"""From boxes with a score for each class to what remains of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.nms import nms
from fqbench.tasks.detection.settings import RowSettings
from fqbench.tasks.shapes import finite
from fqbench.vision.geometry import Boxes

CANDIDATES = 30_000
"""As many boxes of the best scores go into NMS, as in YOLOv5's evaluation."""


def corners(centers: NDArray[np.float32], sizes: NDArray[np.float32]) -> Boxes:
    """x, y of the centres and width, height [n, 2] each, as x1, y1, x2, y2."""
    halves = sizes / 2
    return np.concatenate([centers - halves, centers + halves], axis=1)


@dataclass(frozen=True)
class Kept:
    """What remains of rows: which they are, their classes and scores, [n] each, the best first."""

    rows: NDArray[np.intp]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]


def suppress(decode: RowSettings, boxes: Boxes, scores: NDArray[np.float32]) -> Kept:
    """What non-maximum suppression leaves of ``boxes`` [n, 4] with ``scores`` [n, classes]."""
    if decode.multi_label:
        rows, labels = np.nonzero(scores > decode.score)
    else:
        labels = scores.argmax(axis=1)
        rows = np.flatnonzero(scores[np.arange(len(scores)), labels] > decode.score)
        labels = labels[rows]
    found = scores[rows, labels]
    if found.size > CANDIDATES:
        best = np.argsort(-found, kind="stable")[:CANDIDATES]
        rows, labels, found = rows[best], labels[best], found[best]
    kept = nms(boxes[rows], found, decode.iou, decode.max_boxes, labels)
    return Kept(rows[kept], labels[kept].astype(np.int64), found[kept])


def suppressed(
    decode: RowSettings,
    boxes: Boxes,
    scores: NDArray[np.float32],
    to_image: Callable[[Boxes], Boxes],
) -> Detections:
    """The same as detections; boxes are moved to the image last."""
    kept = suppress(decode, boxes, scores)
    return Detections(finite(to_image(boxes[kept.rows])), kept.scores, kept.labels)
