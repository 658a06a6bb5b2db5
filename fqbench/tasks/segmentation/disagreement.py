"""How far the class maps of a quantized model are from FP32's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fqbench.tasks.record import AnswerComparison
from fqbench.tasks.segmentation.answers import ClassMap
from fqbench.tasks.segmentation.metric import LOSS, overlaps

SPECK = 0.01
"""Part of one image that a class has to cover, in all of them together, to count as a whole class.

Few images hold few of the classes. Of one that is seen in two pixels, IoU is 0 or 1 as any rounding
has it, and among ten classes each is a tenth of the mean; what annotations hold is larger.
"""


def disagreement(wanted: Sequence[ClassMap], found: Sequence[ClassMap]) -> float:
    """1 minus the mean IoU of both sides' classes: 0 alike, 1 nothing in common.

    A class that covers less than ``SPECK`` counts by what it covers.
    """
    pairs = zip(wanted, found, strict=True)
    common, either = overlaps((one.labels, other.labels) for one, other in pairs).sum(axis=0)
    whole = SPECK * sum(answer.labels.size for answer in wanted) / len(wanted)
    weights = np.minimum(either / whole, 1.0)
    ratios = np.divide(common, either, out=np.zeros_like(either), where=either > 0)
    return 1.0 - float(weights @ ratios / weights.sum())


def _informative(wanted: Sequence[ClassMap]) -> bool:
    """A single class everywhere says nothing."""
    return any(answer.labels.min() != answer.labels.max() for answer in wanted)


def _error(wanted: Sequence[ClassMap], found: Sequence[ClassMap]) -> float:
    """Pixels at borders change both ways: mIoU falls by the square of the disagreement only."""
    return disagreement(wanted, found) ** 2 / LOSS


COMPARISON = AnswerComparison(
    settings=lambda settings: settings, informative=_informative, error=_error
)
