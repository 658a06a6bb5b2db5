"""How far the detections of a quantized model are from FP32's.

Raw outputs mislead where a decoder follows: most of a detector's places hold nothing, and what
rounding changes there changes no detection.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.metric import LOSS
from fqbench.tasks.detection.settings import BoxSettings
from fqbench.tasks.record import AnswerComparison
from fqbench.vision.geometry import Boxes

SCORE = 0.05
"""Boxes up to this score are left out: they are many, and count for little."""


def disagreement(wanted: Sequence[Detections], found: Sequence[Detections]) -> float:
    """1 minus the part of all scores that both have: 0 alike, 1 nothing in common.

    What two boxes of a class have in common is their intersection over union times the lower
    score; each box has in common with the other side what it has with its best match there.
    """
    common = total = 0.0
    for one, other in zip(wanted, found, strict=True):
        total += float(one.scores.sum() + other.scores.sum())
        if len(one.scores) and len(other.scores):
            shared = overlaps(one.boxes, other.boxes)
            shared *= np.minimum(one.scores[:, None], other.scores)
            shared *= one.labels[:, None] == other.labels
            common += float(shared.max(axis=0).sum() + shared.max(axis=1).sum())
    return 1.0 - common / total if total > 0.0 else 0.0


def _settings(settings: BoxSettings) -> BoxSettings:
    return settings.model_copy(update={"score": max(settings.score, SCORE)})


def _informative(wanted: Sequence[Detections]) -> bool:
    return any(len(detections.scores) for detections in wanted)


def _error(wanted: Sequence[Detections], found: Sequence[Detections]) -> float:
    """The relative squared error of raw outputs that costs as much as what is changed here.

    Scores and boxes move both ways, so mAP falls by the square of the disagreement only: of
    YOLOX-nano disagreements of 0.14, 0.42 and 0.89 cost 0.03, 0.27 and 0.75 of the mAP.
    """
    return disagreement(wanted, found) ** 2 / LOSS


def overlaps(one: Boxes, other: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each box with each."""
    a, b = one[:, None].astype(np.float64), other[None].astype(np.float64)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = np.clip(sides, 0.0, None).prod(axis=2)
    areas = [(box[..., 2:] - box[..., :2]).prod(axis=2) for box in (a, b)]
    union = areas[0] + areas[1] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0.0))


COMPARISON = AnswerComparison(settings=_settings, informative=_informative, error=_error)
