"""Which of the things that were found are right, by pycocotools' own matching at IoU or OKS 0.5."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.decisions import Decisions, Flags, Paired, best_threshold, f1, points, shift
from fqbench.tasks.examination import Comparison, Scores

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

    from fqbench.data import EvaluationSet

WITHOUT_LABELS = 0.25
"""The threshold that images are scored at where FP32's best F1 tells none."""


class Objects(Protocol):
    """What an answer has that holds objects of classes: a score and a class for each [n]."""

    @property
    def scores(self) -> NDArray[np.float32]:
        """How sure each is."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each."""


class Verdicts:
    """Whether each thing of each image is right, gathered from one category after the other.

    ``counts``: how many things each image has. What no category is matched with is wrong.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        self.right: list[Flags] = [np.zeros(count, np.bool_) for count in counts]
        self.counted: list[Flags] = [np.ones(count, np.bool_) for count in counts]

    def add(self, evaluation: COCOeval, places: Sequence[tuple[int, int]]) -> None:
        """Read the matching of one category.

        ``places``: image and index of each thing, in the order that the evaluation was given them.
        """
        for entry in evaluation.evalImgs:
            if entry is None:
                continue
            matches, ignored = entry["dtMatches"][0], entry["dtIgnore"][0]
            for number, match, ignore in zip(entry["dtIds"], matches, ignored, strict=True):
                image, index = places[number - 1]
                self.right[image][index] = match > 0 and not ignore
                self.counted[image][index] = not ignore

    def decisions(self, scores: Sequence[Scores], wanted: Sequence[int]) -> list[Decisions]:
        """Of each image; ``wanted``: how many things each holds."""
        found = zip(scores, self.right, self.counted, wanted, strict=True)
        return [Decisions(*each) for each in found]


def unlabelled(answers: Sequence[Objects]) -> list[Decisions]:
    """The decisions of each image where there is nothing to hold them against."""
    return [Decisions(answer.scores.astype(np.float64)) for answer in answers]


def of_categories(
    data: EvaluationSet, answers: Sequence[Objects], evaluations: Iterable[COCOeval]
) -> list[Decisions]:
    """The decisions of each image, by the matching of one category after the other.

    ``evaluations``: each given the objects of its class, images in their order.
    """
    scores = [answer.scores.astype(np.float64) for answer in answers]
    verdicts, wanted = Verdicts([len(each) for each in scores]), Counter[int]()
    for evaluation in evaluations:
        label = data.category_ids.index(evaluation.params.catIds[0])
        verdicts.add(evaluation, _places(label, answers))
        wanted.update(_wanted(evaluation))
    return verdicts.decisions(scores, [wanted[sample.image_id] for sample in data.samples])


def _places(label: int, answers: Sequence[Objects]) -> list[tuple[int, int]]:
    """Image and index of each object of class ``label``."""
    return [
        (image, index)
        for image, answer in enumerate(answers)
        for index in np.flatnonzero(answer.labels == label).tolist()
    ]


def _wanted(evaluation: COCOeval) -> dict[int, int]:
    """How many things that count each image holds, by its id."""
    return {
        entry["image_id"]: int(np.sum(np.equal(entry["gtIgnore"], 0)))
        for entry in evaluation.evalImgs
        if entry is not None
    }


def comparison(images: Sequence[Paired], alike: Scores) -> Comparison:
    """Of things with scores: images by F1 at FP32's best threshold, decisions at usual ones."""
    best = best_threshold(image.fp32 for image in images)
    used = WITHOUT_LABELS if best is None else best
    labelled = all(image.fp32.right is not None for image in images)
    fp32, int8 = (
        np.array([f1(found, used) for found in side]) if labelled else None
        for side in ([i.fp32 for i in images], [i.int8 for i in images])
    )
    return Comparison(
        fp32, int8, alike, points(images, best), shift(images), f"scores from {used:.2f} on"
    )
