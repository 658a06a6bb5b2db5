"""Poses of FP32 and of INT8, image by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fqbench.counting import counted
from fqbench.tasks.decisions import (
    CONSIDERED,
    Decisions,
    Indices,
    Paired,
    each_alike,
    paired,
)
from fqbench.tasks.drawing import SHOWN
from fqbench.tasks.examination import Comparison, Examination
from fqbench.tasks.keypoints.answers import Poses
from fqbench.tasks.keypoints.disagreement import areas, disagreement
from fqbench.tasks.keypoints.oks import similarity

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet


def compare(data: EvaluationSet | None, fp32: Sequence[Poses], int8: Sequence[Poses]) -> Comparison:
    """Which persons both have, and which are right; those up to ``CONSIDERED`` are left out."""
    from fqbench.tasks.detection.verdicts import comparison

    one, other = ([_considered(answer) for answer in side] for side in (fp32, int8))
    sides = zip(one, other, _decisions(data, one), _decisions(data, other), strict=True)
    images = [Paired(before, after, _same(a, b)) for a, b, before, after in sides]
    return comparison(images, each_alike(disagreement, one, other))


def says(answer: Poses) -> str:
    """How many persons are drawn, and the surest score."""
    count = int((answer.scores > SHOWN).sum())
    if not count:
        return f"nobody above {SHOWN}"
    return f"{counted(count, 'person')}; the surest {answer.scores.max():.2f}"


def _considered(answer: Poses) -> Poses:
    kept = answer.scores > CONSIDERED
    return Poses(answer.keypoints[kept], answer.scores[kept])


def _same(one: Poses, other: Poses) -> tuple[Indices, Indices]:
    if not len(one.scores) or not len(other.scores):
        return paired(np.zeros((len(one.scores), len(other.scores))), one.scores)
    likeness = similarity(one.keypoints, other.keypoints, areas(one.keypoints))
    return paired(likeness, one.scores)


def _decisions(data: EvaluationSet | None, answers: Sequence[Poses]) -> list[Decisions]:
    from fqbench.tasks.detection.verdicts import Verdicts
    from fqbench.tasks.keypoints.dataset import PersonSet, persons
    from fqbench.tasks.keypoints.metric import matching

    scores = [answer.scores.astype(np.float64) for answer in answers]
    if data is None:
        return [Decisions(each) for each in scores]
    verdicts = Verdicts([len(each) for each in scores])
    places = [(image, i) for image, each in enumerate(scores) for i in range(len(each))]
    verdicts.add(matching(data, answers)[0], places)
    if isinstance(data, PersonSet):
        return verdicts.decisions(scores, [1] * len(scores))
    noted = Counter(
        {
            image: sum(bool(e.get("num_keypoints", 1)) and not e.get("iscrowd") for e in entries)
            for image, entries in persons(data).items()
        }
    )
    return verdicts.decisions(scores, [noted[sample.image_id] for sample in data.samples])


EXAMINATION = Examination(measure="F1 at OKS 0.5", unit="persons", compare=compare, says=says)
