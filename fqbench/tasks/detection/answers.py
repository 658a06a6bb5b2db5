"""What a detector answers: boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import AnswerFormat
from fqbench.vision.geometry import Boxes

BOX = np.dtype([("corners", "<f4", 4), ("score", "<f4"), ("label", "<i8")])
"""One box on the disk: 28 bytes."""


@dataclass(frozen=True)
class Detections:
    """Boxes [n, 4] in pixels of the image, their scores [n] and class indices [n]."""

    boxes: Boxes
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]


def _rows(found: Detections) -> NDArray[np.void]:
    rows = np.empty(len(found.scores), BOX)
    rows["corners"], rows["score"], rows["label"] = found.boxes, found.scores, found.labels
    return rows


def _answers(rows: NDArray[Any], ends: Sequence[int]) -> Iterator[Detections]:
    corners, scores, labels = (np.ascontiguousarray(rows[name]) for name in BOX.names or ())
    for start, end in pairwise([0, *ends]):
        yield Detections(corners[start:end], scores[start:end], labels[start:end])


def _checked(answer: Any) -> Detections | None:
    if not isinstance(answer, Detections):
        return None
    boxes = np.asarray(answer.boxes, dtype=np.float32)
    scores = np.asarray(answer.scores, dtype=np.float32)
    labels = np.asarray(answer.labels, dtype=np.int64)
    if boxes.shape != (len(boxes), 4) or not boxes[:, 0].shape == scores.shape == labels.shape:
        shapes = [list(part.shape) for part in (boxes, scores, labels)]
        raise ValueError(
            f"boxes, scores and labels of shapes {shapes}, expected [n, 4], [n] and [n]"
        )
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise ValueError("NaN or infinite values")
    return Detections(boxes, scores, labels)


BOXES = AnswerFormat(
    answer_type=Detections,
    name="boxes",
    array="boxes",
    dtype=BOX,
    several=True,
    rows=_rows,
    answers=_answers,
    checked=_checked,
)
