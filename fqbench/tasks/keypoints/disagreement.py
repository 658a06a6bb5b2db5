"""How far the poses of a quantized model are from FP32's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.keypoints.answers import Poses
from fqbench.tasks.keypoints.metric import LOSS
from fqbench.tasks.keypoints.oks import similarity
from fqbench.tasks.record import AnswerComparison, DecoderSettings

Values = NDArray[np.floating[Any]]

SCORE = 0.05
"""Persons up to this score are left out, where a decoder finds any number of them."""

FILLED = 0.53
"""The part of the box around a person's keypoints that it fills, as in COCO's annotations."""
COST = 0.725
"""What a small disagreement costs of the AP, as a part of it.

A keypoint that moves by itself takes its own part off a person's OKS, so that is x (1 - d) then. AP
counts how many of the thresholds 0.5, 0.55 .. 0.95 an OKS x reaches: about (x - 0.475) / 0.5 of
them. Of an OKS that is anything from 0 to 1 alike, it loses 2 d times the integral of x from 0.475
to 0.975, which is 1.2 d of a typical AP of 0.6. That would be so if FP32 were right: where it is
off by itself, of which it is sure by p, and the true place is anywhere around, what an OKS k from
FP32's place costs is p (1 - k^p), not p (1 - k). Of keypoints that are sure by 0.6 that is 0.6.
"""


def disagreement(wanted: Sequence[Poses], found: Sequence[Poses]) -> float:
    """1 minus the part of all scores that both have: 0 alike, 1 nothing in common.

    What two persons have in common is their OKS, less the square of the part by which their scores
    differ: scores order the persons, and move both ways. Each has in common with the other side
    what it has with its best match there.

    A keypoint counts in the OKS as much as ``wanted`` is sure of it. Where nothing is to be seen a
    maximum lies anywhere, and jumps with any rounding; annotations leave such a keypoint out, or
    both miss it.
    """
    common = total = 0.0
    for one, other in zip(wanted, found, strict=True):
        total += float(one.scores.sum() + other.scores.sum())
        if len(one.scores) and len(other.scores):
            sure = np.clip(one.keypoints[:, :, 2], 0.0, 1.0)
            shared = similarity(one.keypoints, other.keypoints, areas(one.keypoints), sure)
            shared *= 1.0 - _change(one.scores[:, None], other.scores) ** 2
            common += float(other.scores @ shared.max(axis=0) + one.scores @ shared.max(axis=1))
    return 1.0 - common / total if total > 0.0 else 0.0


def _change(one: Values, other: Values) -> Values:
    """By which part of the higher of two scores they differ, 0 to 1; 0 where both are 0."""
    higher = np.maximum(one, other).astype(np.float64)
    apart = np.abs(one.astype(np.float64) - other)
    return np.divide(apart, higher, out=np.zeros_like(higher), where=higher > 0.0)


def areas(keypoints: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of persons [n], in square pixels, by what their keypoints [n, k, 3] span."""
    sides = keypoints[:, :, :2].max(axis=1) - keypoints[:, :, :2].min(axis=1)
    return np.asarray(sides.astype(np.float64).prod(axis=1) * FILLED)


def _settings(settings: DecoderSettings) -> DecoderSettings:
    least = getattr(settings, "score", None)
    return settings if least is None else settings.model_copy(update={"score": max(least, SCORE)})


def _informative(wanted: Sequence[Poses]) -> bool:
    return any(bool((poses.scores > 0).any()) for poses in wanted)


def _error(wanted: Sequence[Poses], found: Sequence[Poses]) -> float:
    """As OKS falls by the square of a distance, the disagreement is that of a squared error."""
    return disagreement(wanted, found) * COST / LOSS


COMPARISON = AnswerComparison(settings=_settings, informative=_informative, error=_error)
