"""Mean average precision by pycocotools, and the same for weighted images.

A bootstrap over images needs the metric a thousand times. Which detection matches which object
does not depend on the weights of the images, so pycocotools matches once; what follows, the
precision at 101 recalls, is repeated here for all weights together.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fqbench.data import EvaluationSet
from fqbench.errors import StepError
from fqbench.vision.decode import Detections

MAX_DETECTIONS = 100
"""Boxes of a category that count in an image, by score: the 100 of COCO's own metric."""

CHUNK = 100
"""As many resamples are computed together: a compromise of memory and speed."""


def coco_map(data: EvaluationSet, answers: Sequence[Detections]) -> float:
    """mAP at IoU 0.50 to 0.95, all areas, in points of 0 to 100; 0 where nothing is found.

    ``answers``: one an image, in the order of ``data``. Raises StepError for a class that the
    annotations do not have.
    """
    evaluation = _matched(data, answers)
    if evaluation is None:
        return 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    # A category without an object has -1.
    precision = evaluation.eval["precision"]
    return float(precision[precision > -1].mean() * 100)


def weighted_map(
    data: EvaluationSet, answers: Sequence[Detections], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """mAP in points for each row of ``weights`` [resamples, images], images as in ``data``.

    A weight says how often its image counts. A category without an object in a resample is
    left out of that resample's mean, as pycocotools leaves out one without any. With weights
    of 1 it is ``coco_map``. Raises StepError as that.
    """
    total, counted = np.zeros(len(weights)), np.zeros(len(weights))
    evaluation = _matched(data, answers)
    if evaluation is None:
        return total
    for category in _categories(evaluation, data):
        for start in range(0, len(weights), CHUNK):
            part = weights[start : start + CHUNK]
            present = np.flatnonzero(part @ category.objects)
            total[start + present] += category.precision(part[present])
            counted[start + present] += 1
    return np.asarray(np.divide(total, counted, out=total, where=counted > 0) * 100)


class _Category:
    """Detections of one category, best score first: their image, and whether they match."""

    def __init__(
        self, entries: Sequence[dict[str, Any] | None], recalls: NDArray[np.float64]
    ) -> None:
        found = [(image, entry) for image, entry in enumerate(entries) if entry is not None]
        self.objects = np.zeros(len(entries))
        for image, entry in found:
            self.objects[image] = np.sum(np.asarray(entry["gtIgnore"]) == 0)
        scores = np.concatenate([np.asarray(e["dtScores"], dtype=np.float64) for _, e in found])
        # As pycocotools sorts, so that equal scores keep their order.
        order = np.argsort(-scores, kind="mergesort")
        images = [np.full(len(entry["dtScores"]), image) for image, entry in found]
        self._images = np.concatenate(images).astype(np.intp)[order]
        matched = np.concatenate([e["dtMatches"] for _, e in found], axis=1)[:, order] > 0
        self._ignored = np.concatenate([e["dtIgnore"] for _, e in found], axis=1)[:, order] > 0
        self._hit = matched & ~self._ignored
        self._recalls = recalls

    def precision(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over IoU thresholds and recalls of the precision [resamples].

        Precision only rises at true positives, and recall only changes there, so only these
        columns are looked at.
        """
        needed = _needed(weights @ self.objects, self._recalls)
        counts = weights[:, self._images]
        seen = np.cumsum(counts, axis=1)
        result = np.zeros(len(weights))
        for hit, ignored in zip(self._hit, self._ignored, strict=True):
            hits, left_out = np.flatnonzero(hit), np.flatnonzero(ignored)
            true = np.cumsum(counts[:, hits], axis=1)
            before = (left_out[:, None] < hits).astype(np.float64)
            found = seen[:, hits] - counts[:, left_out] @ before
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


def _categories(evaluation: COCOeval, data: EvaluationSet) -> Iterator[_Category]:
    """The matches of each category that has an object, images in the order of ``data``."""
    parameters = evaluation.params
    position = {image: index for index, image in enumerate(parameters.imgIds)}
    order = [position[sample.image_id] for sample in data.samples]
    images = len(parameters.imgIds)
    for number in range(len(parameters.catIds)):
        entries = evaluation.evalImgs[number * images : (number + 1) * images]
        if any(entry is not None and len(entry["gtIgnore"]) for entry in entries):
            category = _Category([entries[index] for index in order], parameters.recThrs)
            if category.objects.any():
                yield category


def _matched(data: EvaluationSet, answers: Sequence[Detections]) -> COCOeval | None:
    """pycocotools' matching of the evaluated images; None where nothing was detected."""
    boxes = [
        box
        for sample, answer in zip(data.samples, answers, strict=True)
        for box in _boxes(sample.image_id, answer, data.category_ids)
    ]
    if not boxes:
        return None
    assert data.annotations is not None
    with contextlib.redirect_stdout(io.StringIO()):
        truth = _ground_truth(data.annotations)
        evaluation = COCOeval(truth, truth.loadRes(boxes), "bbox")
        evaluation.params.imgIds = sorted(sample.image_id for sample in data.samples)
        evaluation.params.areaRng = evaluation.params.areaRng[:1]
        evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
        evaluation.params.maxDets = [MAX_DETECTIONS]
        evaluation.evaluate()
    return evaluation


def _ground_truth(path: Path) -> COCO:
    """The annotations, numbered from 1: pycocotools takes a match with number 0 for none.

    What many tools leave out is filled in: ``iscrowd``, and ``area``, that of the box.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    truth = COCO()
    truth.dataset = {
        **content,
        "annotations": [
            {"iscrowd": 0, "area": entry["bbox"][2] * entry["bbox"][3], **entry, "id": number}
            for number, entry in enumerate(content["annotations"], start=1)
        ],
    }
    truth.createIndex()
    return truth


def _boxes(
    image_id: int, answer: Detections, category_ids: Sequence[int]
) -> Iterator[dict[str, Any]]:
    unknown = answer.labels[(answer.labels < 0) | (answer.labels >= len(category_ids))]
    if unknown.size:
        raise StepError(
            f"the model found class {int(unknown[0])}, the annotations have {len(category_ids)}"
            " categories, counted from 0"
        )
    corners, sizes = answer.boxes[:, :2], answer.boxes[:, 2:] - answer.boxes[:, :2]
    boxes = np.concatenate([corners, sizes], axis=1).astype(np.float64).tolist()
    scores, labels = answer.scores.tolist(), answer.labels.tolist()
    for box, score, label in zip(boxes, scores, labels, strict=True):
        category = category_ids[label]
        yield {"image_id": image_id, "category_id": category, "bbox": box, "score": score}
