"""Class maps of FP32 and of INT8, image by image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fqbench.tasks.decisions import each_alike
from fqbench.tasks.examination import Comparison, Examination, OperatingPoint
from fqbench.tasks.segmentation.answers import ClassMap
from fqbench.tasks.segmentation.disagreement import disagreement
from fqbench.tasks.segmentation.metric import Maps, image_counts, mean_iou

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet


def compare(
    data: EvaluationSet | None, fp32: Sequence[ClassMap], int8: Sequence[ClassMap]
) -> Comparison:
    """The class of each pixel; maps keep no scores, so there is no threshold."""
    scores = [None if data is None else mean_iou(image_counts(data, side)) for side in (fp32, int8)]
    return Comparison(
        scores[0],
        scores[1],
        each_alike(disagreement, fp32, int8),
        (_point(data, fp32, int8),),
        None,
    )


def says(answer: ClassMap) -> str:
    """The classes that cover most of the image."""
    labels, counts = np.unique(answer.labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:3]
    shares = (
        f"class {labels[i]} {100 * counts[i] / answer.labels.size:.0f} %" for i in order.tolist()
    )
    return ", ".join(shares)


def _point(
    data: EvaluationSet | None, fp32: Sequence[ClassMap], int8: Sequence[ClassMap]
) -> OperatingPoint:
    kept = lost = lost_right = gained_right = 0
    for one, other, truth in zip(fp32, int8, _maps(data, len(fp32)), strict=True):
        changed = one.labels != other.labels
        lost += int(changed.sum())
        kept += int(changed.size - changed.sum())
        if truth is not None:
            lost_right += int((changed & (one.labels == truth)).sum())
            gained_right += int((changed & (other.labels == truth)).sum())
    known = (None, None) if data is None else (lost_right, gained_right)
    return OperatingPoint("class of each pixel", None, kept, lost, lost, *known)


def _maps(data: EvaluationSet | None, count: int) -> Iterator[Maps | None]:
    """The label map of each image, one at a time."""
    from fqbench.tasks.segmentation.dataset import read_map

    if data is None:
        yield from (None,) * count
    else:
        yield from (read_map(path) for path in data.truth)


EXAMINATION = Examination(
    measure="mean IoU of the image's classes", unit="pixels", compare=compare, says=says
)
