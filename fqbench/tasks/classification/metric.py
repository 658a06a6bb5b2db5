"""Classes as answers, and how often they are correct."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import AnswerFormat, Answers, Metric, Weights

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet


def _checked(answer: Any) -> int | None:
    return int(answer) if isinstance(answer, int | np.integer) else None


CLASS = AnswerFormat(
    answer_type=int,
    name="a class",
    array="labels",
    dtype=np.dtype("<i8"),
    several=False,
    rows=lambda answer: np.array([answer], "<i8"),
    answers=lambda rows, ends: rows.tolist(),
    checked=_checked,
)


def _correct(data: EvaluationSet, answers: Answers) -> NDArray[np.bool_]:
    """Whether each image's class was found."""
    expected = [sample.label for sample in data.samples]
    return np.array([a == e for a, e in zip(answers, expected, strict=True)], dtype=np.bool_)


def top1(data: EvaluationSet, answers: Answers) -> float:
    """The share of the images whose class was found, in points."""
    return float(_correct(data, answers).mean() * 100)


def weighted_top1(
    data: EvaluationSet, answers: Answers, weights: Iterable[Weights]
) -> NDArray[np.float64]:
    """The same for each row of the blocks of weights."""
    correct = _correct(data, answers)
    shares = [block @ correct / block.sum(axis=1) for block in weights]
    return np.asarray(np.concatenate(shares) * 100)


TOP1 = Metric(
    name="top1",
    label="top-1",
    unit="points",
    digits=2,
    meaning="",
    typical=100.0,
    loss=0.3,
    points=top1,
    weighted=weighted_top1,
)
"""``loss``: as measured on a detector, see ``fqbench.tasks.detection.metric``; EfficientNet-lite0
costs less."""
