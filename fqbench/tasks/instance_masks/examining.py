"""Masks of FP32 and of INT8, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fqbench.tasks.decisions import CONSIDERED, Decisions, Paired, each_alike, paired
from fqbench.tasks.detection.examining import listed
from fqbench.tasks.examination import Comparison, Examination
from fqbench.tasks.instance_masks.answers import Instances
from fqbench.tasks.instance_masks.disagreement import disagreement, overlaps

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet


def compare(
    data: EvaluationSet | None, fp32: Sequence[Instances], int8: Sequence[Instances]
) -> Comparison:
    """Which masks both have, and which are right; those up to ``CONSIDERED`` are left out."""
    from fqbench.tasks.detection.verdicts import comparison

    one, other = ([_considered(answer) for answer in side] for side in (fp32, int8))
    sides = zip(one, other, _decisions(data, one), _decisions(data, other), strict=True)
    images = [
        Paired(before, after, paired(overlaps(a, b), a.scores)) for a, b, before, after in sides
    ]
    return comparison(images, each_alike(disagreement, one, other))


def says(answer: Instances) -> str:
    """How many masks of which classes are drawn, and the surest score."""
    return listed(answer.scores.tolist(), answer.labels.tolist())


def _considered(answer: Instances) -> Instances:
    kept = np.flatnonzero(answer.scores > CONSIDERED)
    masks = tuple(answer.masks[index] for index in kept.tolist())
    boxes, scores, labels = answer.boxes[kept], answer.scores[kept], answer.labels[kept]
    return Instances(boxes, scores, labels, masks, answer.image_size)


def _decisions(data: EvaluationSet | None, answers: Sequence[Instances]) -> list[Decisions]:
    from fqbench.tasks.detection.verdicts import of_categories, unlabelled
    from fqbench.tasks.instance_masks.metric import matchings

    if data is None:
        return unlabelled(answers)
    return of_categories(data, answers, matchings(data, answers))


EXAMINATION = Examination(measure="F1 at mask IoU 0.5", unit="masks", compare=compare, says=says)
