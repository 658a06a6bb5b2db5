"""Accuracy in points, and the drop from FP32 to INT8 on the same images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fqbench.data import EvaluationSet
from fqbench.errors import StepError
from fqbench.measure import average_precision
from fqbench.measure.prediction import Prediction
from fqbench.measure.stats import Interval, central

RESAMPLES = 1000


def accuracy(data: EvaluationSet, predictions: Sequence[Prediction]) -> float:
    """mAP (COCO, IoU 0.50 to 0.95) or top-1 of the data set, in points of 0 to 100."""
    if data.annotations is not None:
        return average_precision.coco_map(data, predictions)
    return float(correct(data, predictions).mean() * 100)


def drop(
    data: EvaluationSet, fp32: Sequence[Prediction], int8: Sequence[Prediction], seed: int = 0
) -> Interval:
    """Accuracy lost from ``fp32`` to ``int8`` in points, with a 95 % confidence interval.

    The interval is a paired bootstrap's: the same images are drawn for both sides, so that
    hard images do not count as a difference.
    """
    weights = image_weights(len(data.samples), seed)
    if data.annotations is not None:
        sides = [average_precision.resampled_map(data, side, weights) for side in (fp32, int8)]
        losses = sides[0] - sides[1]
    else:
        lost = correct(data, fp32).astype(np.float64) - correct(data, int8)
        losses = weights @ lost / weights.sum(axis=1) * 100
    value = accuracy(data, fp32) - accuracy(data, int8)
    low, high = central(losses)
    return Interval(value, low, high)


def correct(data: EvaluationSet, predictions: Sequence[Prediction]) -> NDArray[np.bool_]:
    """Whether each image's class was found, in the order of the data set."""
    answers = {p.image_id: p.answer for p in predictions}
    missing = [s for s in data.samples if s.image_id not in answers]
    if missing:
        raise StepError(f"image {missing[0].path.name} has no prediction")
    return np.array([answers[s.image_id] == s.label for s in data.samples], dtype=np.bool_)


def image_weights(images: int, seed: int) -> NDArray[np.float64]:
    """How often each image is drawn [resamples, images] when as many are drawn as there are."""
    draws = np.random.default_rng(seed).multinomial(
        images, np.full(images, 1 / images), size=RESAMPLES
    )
    return draws.astype(np.float64)
