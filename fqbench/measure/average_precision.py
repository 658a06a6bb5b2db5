"""Mean average precision by pycocotools, and the same for weighted images.

A bootstrap over images needs the metric a thousand times. Which detection matches which object
does not depend on the weights of the images, so pycocotools matches once; what follows, the
precision at 101 recalls, is repeated here for all weights together.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fqbench.data import EvaluationSet
from fqbench.measure.prediction import Prediction
from fqbench.vision.decode import Detections

MAX_DETECTIONS = 100
"""Boxes an image that count, by score: the 100 of COCO's own metric."""

CHUNK = 100


def coco_map(data: EvaluationSet, predictions: Sequence[Prediction]) -> float:
    """mAP at IoU 0.50 to 0.95, all areas, in points of 0 to 100; 0 where nothing is found."""
    evaluation = _matched(data, predictions)
    if evaluation is None:
        return 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., -1]
    return float(precision[precision > -1].mean() * 100) if (precision > -1).any() else 0.0


def resampled_map(
    data: EvaluationSet, predictions: Sequence[Prediction], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """mAP in points for each row of ``weights`` [resamples, images], images as in ``data``.

    A weight says how often its image counts. A category without an object in a resample is
    left out of that resample's mean, as pycocotools leaves out one without any.
    """
    evaluation = _matched(data, predictions)
    if evaluation is None:
        return np.zeros(len(weights))
    total = np.zeros(len(weights))
    counted = np.zeros(len(weights))
    for category in _categories(evaluation, data):
        for start in range(0, len(weights), CHUNK):
            part = slice(start, start + CHUNK)
            objects = weights[part] @ category.objects
            present = objects > 0
            total[part][present] += category.precision(weights[part][present])
            counted[part] += present
    means: NDArray[np.float64] = np.divide(
        total, counted, out=np.zeros_like(total), where=counted > 0
    )
    return means * 100


class _Category:
    """Detections of one category, best score first: their image, and whether they match."""

    def __init__(self, entries: Sequence[dict[str, Any] | None], recalls: Any) -> None:
        self._recalls = recalls
        self.objects = np.array(
            [0 if e is None else np.sum(np.asarray(e["gtIgnore"]) == 0) for e in entries],
            dtype=np.float64,
        )
        kept = [(i, e) for i, e in enumerate(entries) if e is not None]
        scores = np.concatenate(
            [np.empty(0), *(np.asarray(e["dtScores"], np.float64) for _, e in kept)]
        )
        order = np.argsort(-scores, kind="mergesort")
        images = [np.full(len(e["dtScores"]), i, np.int64) for i, e in kept]
        self._images = np.concatenate([np.empty(0, np.int64), *images])[order]
        matches = [np.asarray(e["dtMatches"]) for _, e in kept]
        ignored = [np.asarray(e["dtIgnore"], dtype=bool) for _, e in kept]
        self._hit = np.concatenate(matches, axis=1)[:, order] > 0 if kept else None
        self._ignored = np.concatenate(ignored, axis=1)[:, order] if kept else None

    def precision(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over IoU thresholds and recalls of the precision [resamples]."""
        if self._hit is None or self._ignored is None or not self._images.size:
            return np.zeros(len(weights))
        objects = weights @ self.objects
        counts = weights[:, self._images]
        result = np.zeros(len(weights))
        for hit, ignored in zip(self._hit, self._ignored, strict=True):
            true = np.cumsum(counts * (hit & ~ignored), axis=1)
            false = np.cumsum(counts * (~hit & ~ignored), axis=1)
            found = true + false
            precision = np.divide(true, found, out=np.zeros_like(true), where=found > 0)
            # Precision at a recall is the best at that recall or any higher one.
            envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            result += _at_recalls(true / objects[:, None], envelope, self._recalls)
        return result / len(self._hit)


def _at_recalls(
    recall: NDArray[np.float64], precision: NDArray[np.float64], recalls: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over ``recalls`` of the precision where recall [resamples, detections] reaches it."""
    rows, columns = recall.shape
    # One search for all rows: each is moved beyond the last, recall being at most 1.
    offsets = 2.0 * np.arange(rows)[:, None]
    first = np.searchsorted((recall + offsets).ravel(), (recalls + offsets).ravel(), side="left")
    first = first.reshape(rows, -1) - columns * np.arange(rows)[:, None]
    reached = first < columns
    found = np.take_along_axis(precision, np.minimum(first, columns - 1), axis=1)
    return np.asarray((found * reached).sum(axis=1) / len(recalls))


def _categories(evaluation: COCOeval, data: EvaluationSet) -> Iterator[_Category]:
    """The matches of each category that has an object, images in the order of ``data``."""
    parameters = evaluation.params
    position = {image: index for index, image in enumerate(parameters.imgIds)}
    order = [position[sample.image_id] for sample in data.samples]
    images, areas = len(parameters.imgIds), len(parameters.areaRng)
    for number in range(len(parameters.catIds)):
        start = number * areas * images
        entries = evaluation.evalImgs[start : start + images]
        category = _Category([entries[index] for index in order], parameters.recThrs)
        if category.objects.any():
            yield category


def _matched(data: EvaluationSet, predictions: Sequence[Prediction]) -> COCOeval | None:
    """pycocotools' matching of the evaluated images; None where nothing was detected."""
    boxes = [box for p in predictions for box in _boxes(p, data.category_ids)]
    if not boxes:
        return None
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(data.annotations))
        evaluation = COCOeval(truth, truth.loadRes(boxes), "bbox")
        evaluation.params.imgIds = sorted(sample.image_id for sample in data.samples)
        evaluation.params.areaRng = evaluation.params.areaRng[:1]
        evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
        evaluation.params.maxDets = [MAX_DETECTIONS]
        evaluation.evaluate()
    return evaluation


def _boxes(prediction: Prediction, category_ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    answer = prediction.answer
    assert isinstance(answer, Detections)
    for box, score, label in zip(answer.boxes, answer.scores, answer.labels, strict=True):
        x1, y1, x2, y2 = (float(v) for v in box)
        yield {
            "image_id": prediction.image_id,
            "category_id": category_ids[label],
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": float(score),
        }
