"""What an instance segmentation network answers: boxes with masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.instance_masks.runs import Runs
from fqbench.tasks.record import AnswerFormat
from fqbench.vision.geometry import Boxes

HEAD = np.dtype([("height", "<i4"), ("width", "<i4"), ("count", "<i4")])
"""Of one image's objects on the disk."""

OBJECT = np.dtype([("corners", "<f4", 4), ("score", "<f4"), ("label", "<i8"), ("runs", "<i4")])
"""One object, and how many runs its mask has; those follow all objects."""

RUN = np.dtype("<u4")


@dataclass(frozen=True)
class Instances:
    """Boxes [n, 4] in pixels of the image, scores [n], class indices [n], and for each a mask.

    Masks are run lengths of the whole image (``fqbench.tasks.instance_masks.runs``), whose
    ``image_size`` is height, width.
    """

    boxes: Boxes
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    masks: tuple[Runs, ...]
    image_size: tuple[int, int]


def _rows(found: Instances) -> NDArray[np.uint8]:
    head = np.array([(*found.image_size, len(found.scores))], HEAD)
    objects = np.empty(len(found.scores), OBJECT)
    objects["corners"], objects["score"] = found.boxes, found.scores
    objects["label"], objects["runs"] = found.labels, [len(mask) for mask in found.masks]
    masks = b"".join(mask.astype(RUN).tobytes() for mask in found.masks)
    return np.frombuffer(head.tobytes() + objects.tobytes() + masks, np.uint8)


def _answers(rows: NDArray[Any], ends: Sequence[int]) -> Iterator[Instances]:
    for start, end in pairwise([0, *ends]):
        content = rows[start:end].tobytes()
        height, width, count = np.frombuffer(content, HEAD, 1)[0].tolist()
        objects = np.frombuffer(content, OBJECT, count, HEAD.itemsize)
        runs = np.frombuffer(content, RUN, offset=HEAD.itemsize + count * OBJECT.itemsize)
        edges = np.concatenate([[0], np.cumsum(objects["runs"])])
        masks = tuple(runs[first:last] for first, last in pairwise(edges.tolist()))
        corners, scores, labels = (
            np.ascontiguousarray(objects[name]) for name in ("corners", "score", "label")
        )
        yield Instances(corners, scores, labels, masks, (height, width))


def _checked(answer: Any) -> Instances | None:
    if not isinstance(answer, Instances):
        return None
    boxes = np.asarray(answer.boxes, np.float32)
    scores, labels = np.asarray(answer.scores, np.float32), np.asarray(answer.labels, np.int64)
    count = len(answer.masks)
    if (boxes.shape, scores.shape, labels.shape) != ((count, 4), (count,), (count,)):
        shapes = [list(part.shape) for part in (boxes, scores, labels)]
        raise ValueError(f"boxes, scores and labels of shapes {shapes} for {count} masks")
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise ValueError("NaN or infinite values")
    return Instances(boxes, scores, labels, tuple(answer.masks), answer.image_size)


INSTANCES = AnswerFormat(
    answer_type=Instances,
    name="masks",
    array="instances",
    dtype=np.dtype("u1"),
    several=True,
    rows=_rows,
    answers=_answers,
    checked=_checked,
)
