"""Boxes of FP32 and of INT8, image by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fqbench.counting import counted
from fqbench.tasks.decisions import (
    CONSIDERED,
    Decisions,
    Indices,
    Paired,
    each_alike,
    paired,
)
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.disagreement import disagreement, overlaps
from fqbench.tasks.drawing import SHOWN
from fqbench.tasks.examination import Comparison, Examination

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet


def compare(
    data: EvaluationSet | None, fp32: Sequence[Detections], int8: Sequence[Detections]
) -> Comparison:
    """Which boxes both have, and which are right; boxes up to ``CONSIDERED`` are left out."""
    from fqbench.tasks.detection.verdicts import comparison

    one, other = ([_considered(answer) for answer in side] for side in (fp32, int8))
    sides = zip(one, other, _decisions(data, one), _decisions(data, other), strict=True)
    images = [Paired(before, after, _same(a, b)) for a, b, before, after in sides]
    return comparison(images, each_alike(disagreement, one, other))


def says(answer: Detections) -> str:
    """How many boxes of which classes are drawn, and the surest score."""
    return listed(answer.scores.tolist(), answer.labels.tolist())


def listed(scores: Sequence[float], labels: Sequence[int]) -> str:
    """``3 objects: 2 of class 0, 1 of class 16; the surest 0.93``."""
    shown = [label for score, label in zip(scores, labels, strict=True) if score > SHOWN]
    if not shown:
        return f"nothing above {SHOWN}"
    classes = ", ".join(f"{n} of class {label}" for label, n in Counter(shown).most_common(3))
    return f"{counted(len(shown), 'object')}: {classes}; the surest {max(scores):.2f}"


def _considered(answer: Detections) -> Detections:
    kept = answer.scores > CONSIDERED
    return Detections(answer.boxes[kept], answer.scores[kept], answer.labels[kept])


def _same(one: Detections, other: Detections) -> tuple[Indices, Indices]:
    likeness = overlaps(one.boxes, other.boxes) * (one.labels[:, None] == other.labels)
    return paired(likeness, one.scores)


def _decisions(data: EvaluationSet | None, answers: Sequence[Detections]) -> list[Decisions]:
    from fqbench.tasks.detection.average_precision import matchings
    from fqbench.tasks.detection.verdicts import of_categories, unlabelled

    if data is None:
        return unlabelled(answers)
    return of_categories(data, answers, matchings(data, answers))


EXAMINATION = Examination(measure="F1 at IoU 0.5", unit="detections", compare=compare, says=says)
