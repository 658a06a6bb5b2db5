"""How far the masks of a quantized model are from FP32's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.instance_masks.answers import Instances
from fqbench.tasks.instance_masks.metric import LOSS
from fqbench.tasks.instance_masks.runs import decode
from fqbench.tasks.record import AnswerComparison, DecoderSettings

SCORE = 0.05
"""Objects up to this score are left out: they are many, and count for little."""


def disagreement(wanted: Sequence[Instances], found: Sequence[Instances]) -> float:
    """1 minus the part of all scores that both have: 0 alike, 1 nothing in common.

    What two objects of a class have in common is their masks' intersection over union times the
    lower score; each has in common with the other side what it has with its best match there.
    """
    common = total = 0.0
    for one, other in zip(wanted, found, strict=True):
        total += float(one.scores.sum() + other.scores.sum())
        if len(one.scores) and len(other.scores):
            shared = overlaps(one, other) * np.minimum(one.scores[:, None], other.scores)
            common += float(shared.max(axis=0).sum() + shared.max(axis=1).sum())
    return 1.0 - common / total if total > 0.0 else 0.0


def overlaps(one: Instances, other: Instances) -> NDArray[np.float64]:
    """Intersection over union of each mask with each of its class; 0 of other classes."""
    masks, others = (
        [decode(mask, found.image_size).ravel() for mask in found.masks] for found in (one, other)
    )
    shared = np.zeros((len(masks), len(others)))
    for i, j in np.argwhere(one.labels[:, None] == other.labels):
        either = np.count_nonzero(masks[i] | others[j])
        shared[i, j] = np.count_nonzero(masks[i] & others[j]) / either if either else 0.0
    return shared


def _settings(settings: DecoderSettings) -> DecoderSettings:
    least: float = getattr(settings, "score", 0.0)
    return settings.model_copy(update={"score": max(least, SCORE)})


def _informative(wanted: Sequence[Instances]) -> bool:
    return any(len(found.scores) for found in wanted)


def _error(wanted: Sequence[Instances], found: Sequence[Instances]) -> float:
    """As of boxes: mAP falls by the square of the disagreement only."""
    return disagreement(wanted, found) ** 2 / LOSS


COMPARISON = AnswerComparison(settings=_settings, informative=_informative, error=_error)
