"""From a model's outputs to boxes or a class."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError, UsageError
from fqbench.spec import Decode, Logits, PPYoloe, PythonDecoder, Undecoded, YoloV5, YoloX
from fqbench.spec.model import Size
from fqbench.vision.geometry import Boxes, Geometry
from fqbench.vision.nms import nms

CANDIDATES = 30_000
"""As many boxes of the best scores go into NMS, as in YOLOv5's evaluation."""

CANDIDATES_OF_A_CLASS = 1000
"""As many of each class, as in PP-YOLOE's (``nms_top_k``)."""

LARGEST_LOGARITHM = 30.0
"""Of a box's size in cells. e^30 is nonsense in any case, and must not become infinite."""

PP_YOLOE_SHAPES = "[n, 6] and a count, [1, n, 4] and [1, classes, n], or [1, n, 4 + classes]"


@dataclass(frozen=True)
class Detections:
    """Boxes [n, 4] in pixels of the image, their scores [n] and class indices [n]."""

    boxes: Boxes
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]


Answer = Detections | int
Outputs = Sequence[NDArray[Any]]
Decoder = Callable[[Outputs, Geometry], Answer]


def decoder(decode: Decode, input_size: Size, *, allow_code: bool = False) -> Decoder:
    """The function that turns a model's outputs of one image into its answer.

    It raises StepError for outputs of a wrong shape, with NaN, or for boxes with infinities.
    Raises UsageError for a decoder of the user's own that is not allowed or cannot be imported,
    and where there is none.
    """
    if isinstance(decode, PythonDecoder):
        return partial(_own, decode.function, _imported(decode.function, allow_code))
    if isinstance(decode, Undecoded):
        raise UsageError("decode.kind 'none' reads no answer from a model's outputs")
    if isinstance(decode, Logits):
        return _logits
    if isinstance(decode, YoloV5):
        return partial(_yolov5, decode)
    if isinstance(decode, YoloX):
        return partial(_yolox, decode, *_grid(input_size, decode.strides))
    return partial(_ppyoloe, decode)


def source_of(decode: PythonDecoder) -> Path | None:
    """The file that an allowed decoder's module was read from; None where it has none."""
    spec = importlib.util.find_spec(decode.function.partition(":")[0])
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _imported(name: str, allowed: bool) -> Decoder:
    if not allowed:
        raise UsageError(
            f"decode.function {name!r} runs code of the spec's choice: allow it by --allow-code"
            " if you trust the spec"
        )
    module, _, attribute = name.partition(":")
    try:
        function: Decoder = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # The user's module may raise anything.
        raise UsageError(f"decode.function {name!r} cannot be imported: {error}") from error
    if not callable(function):
        raise UsageError(f"decode.function {name!r} is not a function")
    return function


def _own(name: str, function: Decoder, outputs: Outputs, geometry: Geometry) -> Answer:
    """The answer of a function that may return anything, checked."""
    answer: object = function(outputs, geometry)
    if isinstance(answer, int | np.integer):
        return int(answer)
    if not isinstance(answer, Detections):
        raise StepError(
            f"decode.function {name!r} returned {type(answer).__name__}, expected Detections or int"
        )
    boxes = np.asarray(answer.boxes, dtype=np.float32)
    scores = np.asarray(answer.scores, dtype=np.float32)
    labels = np.asarray(answer.labels, dtype=np.int64)
    if boxes.shape != (len(boxes), 4) or not boxes[:, 0].shape == scores.shape == labels.shape:
        shapes = [list(part.shape) for part in (boxes, scores, labels)]
        raise StepError(
            f"decode.function {name!r} returned boxes, scores and labels of shapes {shapes},"
            " expected [n, 4], [n] and [n]"
        )
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise StepError(f"decode.function {name!r} returned NaN or infinite values")
    return Detections(boxes, scores, labels)


def _logits(outputs: Outputs, geometry: Geometry) -> int:
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) < 2 or shape[0] != 1 or not 0 < outputs[0].size == max(shape):
        raise _unexpected(outputs, "one output [1, classes]")
    # A logarithm of a probability 0 is a sound -inf.
    if np.isnan(outputs[0]).any():
        raise StepError("the model's output holds NaN")
    return int(np.argmax(outputs[0]))


def _yolov5(decode: YoloV5, outputs: Outputs, geometry: Geometry) -> Detections:
    rows = _rows(outputs)
    boxes = _corners(rows[:, :2], rows[:, 2:4])
    return _suppressed(decode, boxes, rows[:, 4:5] * rows[:, 5:], geometry.to_image)


def _yolox(
    decode: YoloX, cells: NDArray[Any], strides: NDArray[Any], outputs: Outputs, geometry: Geometry
) -> Detections:
    rows = _rows(outputs)
    if len(rows) != len(cells):
        raise StepError(
            f"the output has {len(rows)} rows, expected {len(cells)} for decode.strides"
            f" {list(decode.strides)}"
        )
    sizes = np.exp(np.minimum(rows[:, 2:4], LARGEST_LOGARITHM)) * strides
    boxes = _corners((rows[:, :2] + cells) * strides, sizes)
    return _suppressed(decode, boxes, rows[:, 4:5] * rows[:, 5:], geometry.uncut)


def _ppyoloe(decode: PPYoloe, outputs: Outputs, geometry: Geometry) -> Detections:
    """The three forms that PaddleDetection exports.

    With NMS, and without it (``exclude_nms``), the model divides by ``scale_factor`` itself and
    its boxes are in pixels of the image; without any post-processing (``exclude_post_process``)
    they are in pixels of the input.
    """
    shapes = [output.shape for output in outputs]
    if len(shapes) == 2 and shapes[0][1:] == (6,) and outputs[1].size == 1:
        return _after_nms(decode, _finite(outputs[0][: int(outputs[1].reshape(-1)[0])]))
    if len(shapes) == 2 and shapes[0] == (1, *shapes[1][2:], 4) and shapes[1][0] == 1:
        return _of_classes(decode, _finite(outputs[0][0]), _finite(outputs[1][0]))
    if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] == 1 and shapes[0][2] > 4:
        rows = _finite(outputs[0][0])
        return _of_classes(decode, _finite(geometry.uncut(rows[:, :4])), rows[:, 4:].T)
    raise _unexpected(outputs, PP_YOLOE_SHAPES)


def _after_nms(decode: PPYoloe, rows: NDArray[np.float32]) -> Detections:
    """Rows of label, score, x1, y1, x2, y2, sorted by class; a label of -1 fills up."""
    rows = rows[(rows[:, 0] >= 0) & (rows[:, 1] > decode.score)]
    rows = rows[np.argsort(-rows[:, 1], kind="stable")[: decode.max_boxes]]
    return Detections(rows[:, 2:], rows[:, 1], rows[:, 0].astype(np.int64))


def _of_classes(decode: PPYoloe, boxes: Boxes, scores: NDArray[np.float32]) -> Detections:
    """What Paddle's ``multiclass_nms3`` leaves of boxes with ``scores`` [classes, n].

    Of each class the best ``CANDIDATES_OF_A_CLASS`` are compared; of all that remain the best
    ``max_boxes`` are kept, of equal scores those of the first class.
    """
    labels, rows = np.nonzero(scores > decode.score)
    found = scores[labels, rows]
    order = np.lexsort((-found, labels))
    labels, rows, found = labels[order], rows[order], found[order]
    # Sorted by class and score, so the distance from the first of its class is the rank.
    best = np.arange(labels.size) - np.searchsorted(labels, labels) < CANDIDATES_OF_A_CLASS
    labels, rows, found = labels[best], rows[best], found[best]
    kept = nms(boxes[rows], found, decode.iou, decode.max_boxes, labels)
    return Detections(boxes[rows[kept]], found[kept], labels[kept].astype(np.int64))


def _rows(outputs: Outputs) -> NDArray[np.float32]:
    """Rows of box, objectness and class scores of the only output."""
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] != 1 or shape[2] < 6:
        raise _unexpected(outputs, "one output [1, n, 5 + classes]")
    return _finite(outputs[0][0])


def _finite(values: NDArray[Any]) -> NDArray[np.float32]:
    values = np.asarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise StepError("the model's output holds NaN or infinite values")
    return values


def _unexpected(outputs: Outputs, expected: str) -> StepError:
    found = " and ".join(str(list(output.shape)) for output in outputs) or "none"
    return StepError(f"the model's outputs have the shapes {found}, expected {expected}")


def _grid(size: Size, strides: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cell x, y [n, 2] and stride [n, 1] of each row, strides in order, cells row by row."""
    cells, factors = [], []
    for stride in strides:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        factors.append(np.full((y.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(factors).astype(np.float32)


def _corners(centers: NDArray[np.float32], sizes: NDArray[np.float32]) -> Boxes:
    """x, y of the centres and width, height [n, 2] each, as x1, y1, x2, y2."""
    halves = sizes / 2
    return np.concatenate([centers - halves, centers + halves], axis=1)


def _suppressed(
    decode: YoloV5 | YoloX,
    boxes: Boxes,
    scores: NDArray[np.float32],
    to_image: Callable[[Boxes], Boxes],
) -> Detections:
    """What remains of boxes with ``scores`` [n, classes]; they are moved to the image last."""
    if decode.multi_label:
        rows, labels = np.nonzero(scores > decode.score)
    else:
        labels = scores.argmax(axis=1)
        rows = np.flatnonzero(scores[np.arange(len(scores)), labels] > decode.score)
        labels = labels[rows]
    found = scores[rows, labels]
    if found.size > CANDIDATES:
        best = np.argsort(-found, kind="stable")[:CANDIDATES]
        rows, labels, found = rows[best], labels[best], found[best]
    kept = nms(boxes[rows], found, decode.iou, decode.max_boxes, labels)
    moved = _finite(to_image(boxes[rows[kept]]))
    return Detections(moved, found[kept], labels[kept].astype(np.int64))
