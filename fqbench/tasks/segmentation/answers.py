"""What a segmentation network answers: a class for each pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import AnswerFormat

RUN = np.dtype([("value", "<u4"), ("length", "<u4")])
"""Pixels of one class side by side, row after row. The first of a map is its height and width."""


@dataclass(frozen=True)
class ClassMap:
    """The class of each pixel of the image [height, width]."""

    labels: NDArray[np.uint16]


def _rows(answer: ClassMap) -> NDArray[np.void]:
    flat = answer.labels.ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    runs = np.empty(len(starts) + 1, RUN)
    runs[0] = answer.labels.shape
    runs["value"][1:], runs["length"][1:] = flat[starts], np.diff([*starts, flat.size])
    return runs


def _answers(rows: NDArray[Any], ends: Sequence[int]) -> Iterator[ClassMap]:
    for start, end in pairwise([0, *ends]):
        shape, runs = tuple(rows[start].tolist()), rows[start + 1 : end]
        flat = np.repeat(runs["value"].astype(np.uint16), runs["length"])
        yield ClassMap(flat.reshape(shape))


def _checked(answer: Any) -> ClassMap | None:
    if not isinstance(answer, ClassMap):
        return None
    labels = np.asarray(answer.labels)
    if labels.ndim != 2 or not labels.size or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"a map of shape {list(labels.shape)}, expected whole [height, width]")
    if labels.min() < 0 or labels.max() > np.iinfo(np.uint16).max:
        raise ValueError("classes that are not 0 to 65535")
    return ClassMap(labels.astype(np.uint16))


CLASS_MAP = AnswerFormat(
    answer_type=ClassMap,
    name="a map of classes",
    array="class_maps",
    dtype=RUN,
    several=True,
    rows=_rows,
    answers=_answers,
    checked=_checked,
)
