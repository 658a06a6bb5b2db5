"""Mean average precision by pycocotools, and the same for weighted images.

A bootstrap over images needs the metric a thousand times. Which detection matches which object
does not depend on the weights of the images, so pycocotools matches once; what follows, the
precision at 101 recalls, is repeated here for all weights together.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fqbench.data import EvaluationSet
from fqbench.errors import StepError
from fqbench.tasks.detection.answers import Detections


class _Box(TypedDict):
    image_id: int
    category_id: int
    bbox: Sequence[float]


class Entry(_Box, total=False):
    """An annotation or a result, with the keys of COCO's files."""

    id: int
    keypoints: Sequence[float]
    num_keypoints: int

    score: float
    area: float
    iscrowd: int
    segmentation: object


MAX_DETECTIONS = 100
"""Boxes of a category that count in an image, by score: the 100 of COCO's own metric."""

CELLS = 2**22
"""As many numbers (resamples times detections) are computed together: some 100 MB."""


def coco_map(data: EvaluationSet, answers: Sequence[Detections]) -> float:
    """mAP at IoU 0.50 to 0.95, all areas, in points of 0 to 100; 0 where nothing is found.

    ``answers``: one an image, in the order of ``data``. Raises StepError for a class that the
    annotations do not have.
    """
    return mean_precision(matchings(data, answers))


def mean_precision(evaluations: Iterable[COCOeval]) -> float:
    """Mean over matched categories of the average precision, in points; 0 where there is none."""
    means = []
    for evaluation in evaluations:
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.accumulate()
        # A category without an object that counts has -1.
        precision = evaluation.eval["precision"]
        if precision.max() > -1:
            means.append(precision.mean())
    return float(np.mean(means) * 100) if means else 0.0


def weighted_map(
    data: EvaluationSet, answers: Sequence[Detections], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """mAP in points for each row of ``weights`` [resamples, images], images as in ``data``.

    A weight says how often its image counts. A category without an object in a resample is
    left out of that resample's mean, as pycocotools leaves out one without any. With weights
    of 1 it is ``coco_map``. Raises StepError as that.
    """
    ids = [sample.image_id for sample in data.samples]
    return weighted_precision(matchings(data, answers), ids, weights)


def weighted_precision(
    evaluations: Iterable[COCOeval], image_ids: Sequence[int], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``mean_precision`` for each row of ``weights`` [resamples, images], images by their ids."""
    total, counted = np.zeros(len(weights)), np.zeros(len(weights))
    position = {image_id: index for index, image_id in enumerate(image_ids)}
    for evaluation in evaluations:
        category = _Category(evaluation, position)
        present = np.flatnonzero(weights[:, category.images] @ category.objects)
        step = max(1, CELLS // max(1, category.detections))
        for start in range(0, len(present), step):
            rows = present[start : start + step]
            total[rows] += category.precision(weights[np.ix_(rows, category.images)])
        counted[present] += 1
    return np.asarray(np.divide(total, counted, out=total, where=counted > 0) * 100)


class _Category:
    """Detections of one category, best score first: their image, and whether they match.

    ``images``: where its images stand in the data set, in the data set's order; ``objects``: how
    many that count each of them has.
    """

    def __init__(self, evaluation: COCOeval, position: Mapping[int, int]) -> None:
        entries = [entry for entry in evaluation.evalImgs if entry is not None]
        entries.sort(key=lambda entry: position[entry["image_id"]])
        self.images = np.array([position[entry["image_id"]] for entry in entries], np.intp)
        self.objects = np.array(
            [np.sum(np.equal(entry["gtIgnore"], 0)) for entry in entries], float
        )
        scores = np.concatenate([np.asarray(e["dtScores"], dtype=np.float64) for e in entries])
        # As pycocotools sorts, so that equal scores keep their order.
        order = np.argsort(-scores, kind="mergesort")
        found = [len(entry["dtScores"]) for entry in entries]
        self._image = np.repeat(np.arange(len(entries)), found)[order]
        matched = np.concatenate([e["dtMatches"] for e in entries], axis=1)[:, order] > 0
        self._ignored = np.concatenate([e["dtIgnore"] for e in entries], axis=1)[:, order] > 0
        self._hit = matched & ~self._ignored
        self._recalls = evaluation.params.recThrs

    @property
    def detections(self) -> int:
        """How many there are in all images."""
        return len(self._image)

    def precision(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over IoU thresholds and recalls of the precision [resamples].

        ``weights``: of ``images`` [resamples, images]. Precision only rises at true positives, and
        recall only changes there, so only these columns are looked at.
        """
        needed = _needed(weights @ self.objects, self._recalls)
        counts = weights[:, self._image]
        seen = np.cumsum(counts, axis=1)
        result = np.zeros(len(weights))
        for hit, ignored in zip(self._hit, self._ignored, strict=True):
            hits, left_out = np.flatnonzero(hit), np.flatnonzero(ignored)
            true = np.cumsum(counts[:, hits], axis=1)
            # Of the ignored ones, those before each hit; before the first of them there are none.
            out = np.cumsum(counts[:, left_out], axis=1)
            out = np.concatenate([np.zeros((len(out), 1)), out], axis=1)
            found = seen[:, hits] - out[:, np.searchsorted(left_out, hits)]
            precision = np.divide(true, found, out=np.zeros_like(true), where=found > 0)
            result += _at_recalls(true, precision, needed)
        return result / len(self._hit)


def _needed(objects: NDArray[np.float64], recalls: NDArray[np.float64]) -> NDArray[np.float64]:
    """The fewest true positives that reach each of ``recalls`` [resamples, recalls].

    In whole numbers, so that the comparison with a recall is exact, as pycocotools makes it:
    the least n with ``n / objects >= recall`` in floating point.
    """
    count = np.floor(objects[:, None] * recalls)
    count += count / objects[:, None] < recalls
    return np.asarray(count)


def _at_recalls(
    true: NDArray[np.float64], precision: NDArray[np.float64], needed: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over recalls of the best precision at that recall or a higher one [resamples].

    ``true``: true positives so far [resamples, hits]; ``needed``: as many as a recall takes.
    """
    rows, columns = true.shape
    if true.size == 0:
        return np.zeros(rows)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # One search for all rows: each is moved beyond the one before.
    moves = (max(true.max(), needed.max()) + 1) * np.arange(rows)[:, None]
    first = np.searchsorted((true + moves).ravel(), (needed + moves).ravel(), side="left")
    first = first.reshape(rows, -1) - columns * np.arange(rows)[:, None]
    values = np.take_along_axis(best, np.minimum(first, columns - 1), axis=1)
    return np.asarray(np.where(first < columns, values, 0).mean(axis=1))


def matchings(data: EvaluationSet, answers: Sequence[Detections]) -> Iterator[COCOeval]:
    """pycocotools' matching of the evaluated images, one category with an object at a time.

    All of them at once would make millions of Python objects of a large data set.
    """
    found = _Found(data, answers)
    assert data.annotations is not None
    truth = _objects(data.annotations, {sample.image_id for sample in data.samples})
    for label, category in enumerate(data.category_ids):
        if objects := truth.get(category):
            yield matched(objects, list(found.of(label, category)))


def matched(
    objects: list[Entry],
    found: list[Entry],
    overlap: Literal["bbox", "segm", "keypoints"] = "bbox",
    most: int = MAX_DETECTIONS,
    sigmas: NDArray[np.float64] | None = None,
) -> COCOeval:
    """The matching of what was ``found`` with the ``objects`` of one category, by ``overlap``.

    ``most``: as many count in an image, the best; ``sigmas``: of keypoints, how far each may be
    off, None for COCO's.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_annotated(objects), _annotated(found), overlap)
        if sigmas is not None:
            evaluation.params.kpt_oks_sigmas = sigmas
        evaluation.params.areaRng = evaluation.params.areaRng[:1]
        evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
        evaluation.params.maxDets = [most]
        evaluation.params.imgIds = sorted({entry["image_id"] for entry in (*objects, *found)})
        evaluation.evaluate()
    return evaluation


def _annotated(entries: list[Entry]) -> COCO:
    """``entries`` numbered from 1: pycocotools takes a match with number 0 for none.

    What many tools leave out of a file is filled in: ``iscrowd``, and ``area``, that of the box.
    """
    content = COCO()
    content.dataset = {
        # Masks are run lengths: no size of an image is needed, but it is looked at.
        "images": [
            {"id": number, "height": 0, "width": 0}
            for number in {entry["image_id"] for entry in entries}
        ],
        "categories": [{"id": number} for number in {entry["category_id"] for entry in entries}],
        "annotations": [
            {"iscrowd": 0, "area": entry["bbox"][2] * entry["bbox"][3], **entry, "id": number}
            for number, entry in enumerate(entries, start=1)
        ],
    }
    content.createIndex()
    return content


def _objects(path: Path, images: Collection[int]) -> dict[int, list[Entry]]:
    """The annotations of ``images`` by category, without their outlines, which nothing needs."""
    found: dict[int, list[Entry]] = {}
    entries: list[Entry] = json.loads(path.read_text(encoding="utf-8"))["annotations"]
    for entry in entries:
        if entry["image_id"] in images:
            entry.pop("segmentation", None)
            found.setdefault(entry["category_id"], []).append(entry)
    return found


class _Found:
    """The detections of all images, class by class.

    Raises StepError for a class that the annotations do not have.
    """

    def __init__(self, data: EvaluationSet, answers: Sequence[Detections]) -> None:
        counts = [len(answer.labels) for answer in answers]
        ids = np.array([sample.image_id for sample in data.samples], np.int64)
        self._image_ids = np.repeat(ids, counts)
        labels = np.concatenate([answer.labels for answer in answers])
        self._boxes = np.concatenate([answer.boxes for answer in answers]).astype(np.float32)
        self._scores = np.concatenate([answer.scores for answer in answers])
        known = len(data.category_ids)
        unknown = labels[(labels < 0) | (labels >= known)]
        if unknown.size:
            raise StepError(
                f"the model found class {int(unknown[0])}, the annotations have {known}"
                " categories, counted from 0"
            )
        # Of a class, images in their order, and boxes of an image in theirs.
        self._order = np.argsort(labels, kind="stable")
        self._ends = np.searchsorted(labels[self._order], np.arange(known + 1))

    def of(self, label: int, category: int) -> Iterator[Entry]:
        """The boxes of class ``label`` as COCO's results for ``category``."""
        rows = self._order[self._ends[label] : self._ends[label + 1]]
        corners, sizes = self._boxes[rows, :2], self._boxes[rows, 2:] - self._boxes[rows, :2]
        boxes = np.concatenate([corners, sizes], axis=1).astype(np.float64).tolist()
        images, scores = self._image_ids[rows].tolist(), self._scores[rows].tolist()
        for image_id, box, score in zip(images, boxes, scores, strict=True):
            yield {"image_id": image_id, "category_id": category, "bbox": box, "score": score}
