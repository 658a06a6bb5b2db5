"""From a detector's outputs to boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError, UsageError
from fqbench.spec.preprocessing import SCALE_FACTOR_INPUT
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.disagreement import COMPARISON
from fqbench.tasks.detection.layouts import (
    is_by_rows,
    is_by_rows_or_pair,
    require_rows,
    require_scores,
)
from fqbench.tasks.detection.nms import nms
from fqbench.tasks.detection.settings import PPYoloe, YoloV5, YoloX
from fqbench.tasks.detection.suppression import corners, suppressed
from fqbench.tasks.record import (
    DecodeFunction,
    Decoder,
    Outputs,
    RowScores,
    Shape,
    Size,
)
from fqbench.tasks.shapes import FREE, finite, unexpected_outputs, unexpected_shapes
from fqbench.vision.geometry import Boxes, Geometry

CANDIDATES_OF_A_CLASS = 1000
"""As many of each class, as in PP-YOLOE's (``nms_top_k``)."""

LARGEST_LOGARITHM = 30.0
"""Of a box's size in cells. e^30 is nonsense in any case, and must not become infinite."""

PP_YOLOE_SHAPES = "[n, 6] and a count, [1, n, 4] and [1, classes, n], or [1, n, 4 + classes]"


def _yolov5(settings: YoloV5, size: Size) -> DecodeFunction:
    return partial(_read_yolov5, settings)


def _yolox(settings: YoloX, size: Size) -> DecodeFunction:
    return partial(_read_yolox, settings, *_grid(size, settings.strides))


def _ppyoloe(settings: PPYoloe, size: Size) -> DecodeFunction:
    return partial(_read_ppyoloe, settings)


def _read_yolov5(decode: YoloV5, outputs: Outputs, geometry: Geometry) -> Detections:
    rows = _rows(outputs)
    boxes = corners(rows[:, :2], rows[:, 2:4])
    return suppressed(decode, boxes, rows[:, 4:5] * rows[:, 5:], geometry.to_image)


def _read_yolox(
    decode: YoloX, cells: NDArray[Any], strides: NDArray[Any], outputs: Outputs, geometry: Geometry
) -> Detections:
    rows = _rows(outputs)
    if len(rows) != len(cells):
        raise StepError(
            f"the output has {len(rows)} rows, expected {len(cells)} for decode.strides"
            f" {list(decode.strides)}"
        )
    sizes = np.exp(np.minimum(rows[:, 2:4], LARGEST_LOGARITHM)) * strides
    boxes = corners((rows[:, :2] + cells) * strides, sizes)
    return suppressed(decode, boxes, rows[:, 4:5] * rows[:, 5:], geometry.uncut)


def _read_ppyoloe(decode: PPYoloe, outputs: Outputs, geometry: Geometry) -> Detections:
    """The three forms that PaddleDetection exports.

    With NMS, and without it (``exclude_nms``), the model divides by ``scale_factor`` itself and
    its boxes are in pixels of the image; without any post-processing (``exclude_post_process``)
    they are in pixels of the input.
    """
    shapes = [output.shape for output in outputs]
    if len(shapes) == 2 and shapes[0][1:] == (6,) and outputs[1].size == 1:
        return _after_nms(decode, finite(outputs[0][: int(outputs[1].reshape(-1)[0])]))
    if len(shapes) == 2 and shapes[0] == (1, *shapes[1][2:], 4) and shapes[1][0] == 1:
        return _of_classes(decode, finite(outputs[0][0]), finite(outputs[1][0]))
    if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] == 1 and shapes[0][2] > 4:
        rows = finite(outputs[0][0])
        return _of_classes(decode, finite(geometry.uncut(rows[:, :4])), rows[:, 4:].T)
    raise unexpected_outputs(outputs, PP_YOLOE_SHAPES)


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
    require_scores(scores, ("yolov5", "detr"))
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
        raise unexpected_outputs(outputs, "one output [1, n, 5 + classes]")
    rows = finite(outputs[0][0])
    require_scores(rows[:, 4:], ("yolov8", "yolov10"))
    return rows


def _grid(size: Size, strides: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cell x, y [n, 2] and stride [n, 1] of each row, strides in order, cells row by row."""
    cells, factors = [], []
    for stride in strides:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        factors.append(np.full((y.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(factors).astype(np.float32)


def _row_classes(settings: YoloV5 | YoloX, size: Size, outputs: Sequence[Shape]) -> int | None:
    shape = outputs[0] if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] not in (FREE, 1) or 0 <= shape[2] < 6:
        raise unexpected_shapes(settings.kind, outputs, "one of [1, n, 5 + classes]")
    require_rows(settings.kind, outputs)
    return shape[2] - 5 if shape[2] != FREE else None


def _yolox_classes(settings: YoloX, size: Size, outputs: Sequence[Shape]) -> int | None:
    classes = _row_classes(settings, size, outputs)
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in settings.strides)
    if outputs[0][1] not in (FREE, cells):
        raise UsageError(
            f"the output has {outputs[0][1]} rows, decode.strides {list(settings.strides)} make"
            f" {cells}"
        )
    return classes


def _ppyoloe_classes(settings: PPYoloe, size: Size, outputs: Sequence[Shape]) -> int | None:
    """After NMS the shapes depend on the image; what files say of them is not relied on."""
    if len(outputs) not in (1, 2):
        raise unexpected_shapes(settings.kind, outputs, "boxes, and their scores or their count")
    require_rows(settings.kind, outputs)
    if len(outputs) == 1 and len(outputs[0]) == 3:
        return outputs[0][2] - 4 if outputs[0][2] > 4 else None
    if len(outputs) == 2 and len(outputs[1]) == 3:
        boxes, scores = outputs
        if len(boxes) != 3 or boxes[2] not in (FREE, 4) or not _same(boxes[1], scores[2]):
            raise unexpected_shapes(settings.kind, outputs, PP_YOLOE_SHAPES)
        return scores[1] if scores[1] != FREE else None
    return None


def _same(one: int, other: int) -> bool:
    return FREE in (one, other) or one == other


def _row_axes(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
    return (1,) if len(shapes) == 1 and len(shapes[0]) == 3 else None


def _ppyoloe_axes(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
    pair = len(shapes) == 2 and shapes[0] == (1, *shapes[1][2:], 4)
    return (1, 2) if pair else _row_axes(shapes)


def _row_scores(outputs: Outputs) -> NDArray[Any]:
    rows = outputs[0][0]
    return np.asarray(rows[:, 4] * rows[:, 5:].max(axis=1))


def _ppyoloe_scores(outputs: Outputs) -> NDArray[Any]:
    if len(outputs) == 2:
        return np.asarray(outputs[1][0].max(axis=0))
    return np.asarray(outputs[0][0, :, 4:].max(axis=1))


def _with_nms(settings: Mapping[str, float]) -> PPYoloe:
    return PPYoloe.model_validate({"kind": "ppyoloe", **settings})


YOLOV5 = Decoder(
    settings=YoloV5,
    function=_yolov5,
    imports=None,
    classes_of=_row_classes,
    recognizes=is_by_rows,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=RowScores(_row_axes, _row_scores),
)
YOLOX = Decoder(
    settings=YoloX,
    function=_yolox,
    imports=None,
    classes_of=_yolox_classes,
    recognizes=is_by_rows,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=RowScores(_row_axes, _row_scores),
)
PP_YOLOE = Decoder(
    settings=PPYoloe,
    function=_ppyoloe,
    imports=None,
    classes_of=_ppyoloe_classes,
    recognizes=is_by_rows_or_pair,
    inputs=frozenset({SCALE_FACTOR_INPUT}),
    with_nms=_with_nms,
    completed=None,
    comparison=COMPARISON,
    rows=RowScores(_ppyoloe_axes, _ppyoloe_scores),
)
