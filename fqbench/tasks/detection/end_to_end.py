"""Detectors that need no non-maximum suppression: their best rows, or an answer a query."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import scipy
from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.disagreement import COMPARISON
from fqbench.tasks.detection.layouts import (
    is_best_rows,
    is_by_queries,
    is_labels_boxes_scores,
    require_scores,
)
from fqbench.tasks.detection.settings import Detr, RtDetr, ScoreSettings, YoloV10
from fqbench.tasks.detection.suppression import corners
from fqbench.tasks.record import DecodeFunction, Decoder, Outputs, Shape, Size
from fqbench.tasks.shapes import FREE, finite, unexpected_outputs, unexpected_shapes
from fqbench.vision.geometry import Boxes, Geometry

ROWS = "one output [1, n, 6] of x1, y1, x2, y2, score, label"
QUERIES = "boxes [1, n, 4] and logits [1, n, classes]"
TRIPLE = "labels [1, n], boxes [1, n, 4] and scores [1, n]"

UPRIGHT = 0.5
"""Of the rows whose corners are read, at least this part has the second below and right of the
first. Of centres and sizes, few have."""


def _yolov10(settings: YoloV10, size: Size) -> DecodeFunction:
    return partial(_read_rows, settings)


def _detr(settings: Detr, size: Size) -> DecodeFunction:
    return partial(_read_queries, settings, size)


def _rtdetr(settings: RtDetr, size: Size) -> DecodeFunction:
    return partial(_read_triple, settings)


def _read_rows(decode: YoloV10, outputs: Outputs, geometry: Geometry) -> Detections:
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] != 1 or shape[2] != 6:
        raise unexpected_outputs(outputs, ROWS)
    rows = finite(outputs[0][0])
    require_scores(rows[:, 4], ("yolov5", "ppyoloe"))
    counted = rows[rows[:, 4] > decode.score]
    upright = (counted[:, 2:4] >= counted[:, :2]).all(axis=1)
    if upright.size and upright.mean() < UPRIGHT:
        raise StepError(
            f"only {upright.sum()} of {upright.size} rows hold x1, y1, x2, y2: the model's output"
            " is of another layout ('yolov5' may be its decode.kind)"
        )
    boxes = finite(geometry.to_image(rows[:, :4]))
    return _best(decode, boxes, rows[:, 4], np.rint(rows[:, 5]).astype(np.int64))


def _read_queries(decode: Detr, size: Size, outputs: Outputs, geometry: Geometry) -> Detections:
    """Every class of every query competes, as in the evaluation of DETRs with a sigmoid; with
    softmax a query has one answer, its best class but the last, which is none."""
    if not is_by_queries(size, [output.shape for output in outputs]):
        raise unexpected_outputs(outputs, QUERIES)
    boxes, logits = (finite(o[0]) for o in sorted(outputs, key=lambda o: o.shape[2] != 4))
    if boxes.size and (boxes.min() < -0.1 or boxes.max() > 2):
        raise StepError(
            f"boxes go from {boxes.min():.4g} to {boxes.max():.4g}, expected parts of the input, 0"
            " to 1: the model's outputs are of another layout ('ppyoloe' or 'rtdetr' may be its"
            " decode.kind)"
        )
    height, width = size
    scaled = boxes * np.array([width, height, width, height], np.float32)
    moved = finite(geometry.to_image(corners(scaled[:, :2], scaled[:, 2:])))
    if decode.activation == "softmax":
        scores = _softmax(logits)[:, :-1]
        queries, labels = np.arange(len(scores)), scores.argmax(axis=1)
    else:
        scores = np.asarray(scipy.special.expit(logits), np.float32)
        queries, labels = np.nonzero(scores > decode.score)
    return _best(decode, moved[queries], scores[queries, labels], labels.astype(np.int64))


def _read_triple(decode: RtDetr, outputs: Outputs, geometry: Geometry) -> Detections:
    if not is_labels_boxes_scores((0, 0), [output.shape for output in outputs]):
        raise unexpected_outputs(outputs, TRIPLE)
    first, second = (output[0] for output in outputs if output.ndim == 2)
    boxes = next(finite(output[0]) for output in outputs if output.ndim == 3)
    # Labels come first, unless the other one alone is of whole numbers.
    turned = _is_whole(second) and not _is_whole(first)
    labels, scores = (second, first) if turned else (first, second)
    found = finite(scores)
    require_scores(found, ("detr",))
    moved = boxes if decode.pixels == "image" else geometry.to_image(boxes)
    return _best(decode, finite(moved), found, np.rint(finite(labels)).astype(np.int64))


def _best(
    decode: ScoreSettings, boxes: Boxes, scores: NDArray[np.float32], labels: NDArray[np.int64]
) -> Detections:
    """Those above the least score, the best first, at most as many as are wanted."""
    order = np.argsort(-scores, kind="stable")[: decode.max_boxes]
    order = order[scores[order] > decode.score]
    return Detections(boxes[order], scores[order], labels[order])


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _is_whole(values: NDArray[np.generic]) -> bool:
    if np.issubdtype(values.dtype, np.integer):
        return True
    numbers = np.asarray(values, np.float64)
    return bool((numbers == np.rint(numbers)).all())


def _rows_classes(settings: YoloV10, size: Size, outputs: Sequence[Shape]) -> int | None:
    """Labels are values here: how many classes there are stands in no shape."""
    shape = outputs[0] if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] not in (FREE, 1) or shape[2] not in (FREE, 6):
        raise unexpected_shapes(settings.kind, outputs, ROWS)
    return None


def _query_classes(settings: Detr, size: Size, outputs: Sequence[Shape]) -> int | None:
    if not is_by_queries(size, outputs):
        raise unexpected_shapes(settings.kind, outputs, QUERIES)
    classes = sorted(outputs, key=lambda shape: shape[2] != 4)[1][2]
    return classes - 1 if settings.activation == "softmax" else classes


def _triple_classes(settings: RtDetr, size: Size, outputs: Sequence[Shape]) -> int | None:
    if not is_labels_boxes_scores(size, outputs):
        raise unexpected_shapes(settings.kind, outputs, TRIPLE)
    return None


YOLOV10 = Decoder(
    settings=YoloV10,
    function=_yolov10,
    imports=None,
    classes_of=_rows_classes,
    recognizes=is_best_rows,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=None,  # What is in a row changes with the image.
)
DETR = Decoder(
    settings=Detr,
    function=_detr,
    imports=None,
    classes_of=_query_classes,
    recognizes=is_by_queries,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=None,
)
RT_DETR = Decoder(
    settings=RtDetr,
    function=_rtdetr,
    imports=None,
    classes_of=_triple_classes,
    recognizes=is_labels_boxes_scores,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=None,
)
