"""How often classes are correct."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import Answers, Metric, Weights

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet


def correct(data: EvaluationSet, answers: Answers) -> NDArray[np.bool_]:
    """Whether each image's class was found [images]."""
    expected = [sample.label for sample in data.samples]
    return np.array([a.label == e for a, e in zip(answers, expected, strict=True)], dtype=np.bool_)


def top1(data: EvaluationSet, answers: Answers) -> float:
    """The share of the images whose class was found, in points."""
    return float(correct(data, answers).mean() * 100)


def weighted_top1(
    data: EvaluationSet, answers: Answers, weights: Iterable[Weights]
) -> NDArray[np.float64]:
    """The same for each row of the blocks of weights."""
    found = correct(data, answers)
    shares = [block @ found / block.sum(axis=1) for block in weights]
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
