"""What a pose network answers: keypoints of persons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import AnswerFormat

POINT = np.dtype([("point", "<f4", 3), ("score", "<f4"), ("person", "<i4")])
"""One keypoint on the disk, with the score and the number of its person: 20 bytes."""


@dataclass(frozen=True)
class Poses:
    """Keypoints [n, k, 3] of n persons: x, y as indices of the image's pixels (0 is the centre of
    the first), and how sure each is; the persons' scores [n]."""

    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]


def _rows(found: Poses) -> NDArray[np.void]:
    persons, count, _ = found.keypoints.shape
    rows = np.empty(persons * count, POINT)
    rows["point"] = found.keypoints.reshape(-1, 3)
    rows["score"] = np.repeat(found.scores, count)
    rows["person"] = np.repeat(np.arange(persons), count)
    return rows


def _answers(rows: NDArray[Any], ends: Sequence[int]) -> Iterator[Poses]:
    for start, end in pairwise([0, *ends]):
        part = rows[start:end]
        persons = int(part["person"].max(initial=-1)) + 1
        points = part["point"].reshape(persons, -1, 3) if persons else np.zeros((0, 0, 3), "<f4")
        scores = part["score"].reshape(persons, -1)[:, 0] if persons else np.zeros(0, "<f4")
        yield Poses(np.ascontiguousarray(points), np.ascontiguousarray(scores))


def _checked(answer: Any) -> Poses | None:
    if not isinstance(answer, Poses):
        return None
    points = np.asarray(answer.keypoints, np.float32)
    scores = np.asarray(answer.scores, np.float32)
    if points.ndim != 3 or points.shape[2] != 3 or scores.shape != points.shape[:1]:
        shapes = [list(points.shape), list(scores.shape)]
        raise ValueError(f"keypoints and scores of shapes {shapes}, expected [n, k, 3] and [n]")
    if not (np.isfinite(points).all() and np.isfinite(scores).all()):
        raise ValueError("NaN or infinite values")
    return Poses(points, scores)


POSES = AnswerFormat(
    answer_type=Poses,
    name="poses",
    array="poses",
    dtype=POINT,
    several=True,
    rows=_rows,
    answers=_answers,
    checked=_checked,
)
