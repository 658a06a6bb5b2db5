"""What a classifier answers: a class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fqbench.tasks.record import AnswerFormat

CLASS = np.dtype([("label", "<i8"), ("probability", "<f4")])
"""One answer on the disk: 12 bytes."""


@dataclass(frozen=True)
class TopClass:
    """The class that a model names, and how probable it is to the model.

    ``probability``: 0 to 1; NaN where it is not known, as of a decoder that gives the class only.
    """

    label: int
    probability: float = math.nan


def _checked(answer: Any) -> TopClass | None:
    if isinstance(answer, int | np.integer):
        return TopClass(int(answer))
    if not isinstance(answer, TopClass):
        return None
    probability = float(answer.probability)
    if not (math.isnan(probability) or 0.0 <= probability <= 1.0):
        raise ValueError(f"a probability of {probability}, expected 0 to 1")
    return TopClass(int(answer.label), probability)


CLASSES = AnswerFormat(
    answer_type=TopClass,
    name="a class",
    array="classes",
    dtype=CLASS,
    several=False,
    rows=lambda answer: np.array([(answer.label, answer.probability)], CLASS),
    answers=lambda rows, ends: (TopClass(*row) for row in rows.tolist()),
    checked=_checked,
)
