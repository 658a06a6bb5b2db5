"""How far the class maps of a quantized model are from FP32's."""

from __future__ import annotations

from collections.abc import Sequence

from fqbench.tasks.record import AnswerComparison
from fqbench.tasks.segmentation.answers import ClassMap
from fqbench.tasks.segmentation.metric import LOSS, mean_iou, overlaps


def disagreement(wanted: Sequence[ClassMap], found: Sequence[ClassMap]) -> float:
    """1 minus the mean IoU of both sides' classes: 0 alike, 1 nothing in common."""
    pairs = zip(wanted, found, strict=True)
    counts = overlaps((one.labels, other.labels) for one, other in pairs)
    return 1.0 - float(mean_iou(counts.sum(axis=0)))


def _informative(wanted: Sequence[ClassMap]) -> bool:
    """A single class everywhere says nothing."""
    return any(answer.labels.min() != answer.labels.max() for answer in wanted)


def _error(wanted: Sequence[ClassMap], found: Sequence[ClassMap]) -> float:
    """Pixels at borders change both ways: mIoU falls by the square of the disagreement only."""
    return disagreement(wanted, found) ** 2 / LOSS


COMPARISON = AnswerComparison(
    settings=lambda settings: settings, informative=_informative, error=_error
)
