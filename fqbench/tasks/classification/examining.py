"""Classes that FP32 and INT8 name, image by image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fqbench.tasks.classification.answers import TopClass
from fqbench.tasks.classification.metric import correct
from fqbench.tasks.decisions import Decisions, Flags, Paired, at, paired, shift
from fqbench.tasks.examination import Comparison, Examination

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet

SURE = 0.5
"""A probability from which on a class is taken for an answer: no other can be as probable."""


def compare(
    data: EvaluationSet | None, fp32: Sequence[TopClass], int8: Sequence[TopClass]
) -> Comparison:
    """Which classes change, of all images and of those whose class is probable enough."""
    verdicts = [None if data is None else correct(data, side) for side in (fp32, int8)]
    sides = [_decisions(*each) for each in zip((fp32, int8), verdicts, strict=True)]
    images = [
        Paired(before, after, paired(np.array([[float(one.label == other.label)]]), np.ones(1)))
        for one, other, before, after in zip(fp32, int8, *sides, strict=True)
    ]
    points = [at("top-1", None, images)]
    if not any(math.isnan(answer.probability) for answer in (*fp32, *int8)):
        points.append(at(f"probability {SURE}", SURE, images))
    scores = [None if each is None else each.astype(np.float64) for each in verdicts]
    alike = np.array([_alike(*pair) for pair in zip(fp32, int8, strict=True)])
    return Comparison(scores[0], scores[1], alike, tuple(points), shift(images))


def says(answer: TopClass) -> str:
    """The class and its probability."""
    if math.isnan(answer.probability):
        return f"class {answer.label}"
    return f"class {answer.label}, {answer.probability:.2f}"


def _decisions(answers: Sequence[TopClass], right: Flags | None) -> list[Decisions]:
    scores = [np.array([answer.probability]) for answer in answers]
    if right is None:
        return [Decisions(each) for each in scores]
    every = np.array([True])
    return [Decisions(s, right[i : i + 1], every, 1) for i, s in enumerate(scores)]


def _alike(fp32: TopClass, int8: TopClass) -> float:
    """1 less what FP32's class loses of its probability: all of it where INT8 names another."""
    if fp32.label != int8.label:
        return 0.0 if math.isnan(fp32.probability) else 1.0 - fp32.probability
    lost = fp32.probability - int8.probability
    return 1.0 if math.isnan(lost) else 1.0 - max(lost, 0.0)


EXAMINATION = Examination(
    measure="whether the class is right", unit="classes", compare=compare, says=says
)
