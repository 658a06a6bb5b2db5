"""Detectors whose boxes lie in columns: YOLOv8, YOLO11, YOLOv9 and YOLO12."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.disagreement import COMPARISON
from fqbench.tasks.detection.layouts import is_by_columns, require_scores
from fqbench.tasks.detection.settings import YoloV8
from fqbench.tasks.detection.suppression import corners, suppressed
from fqbench.tasks.record import DecodeFunction, Decoder, Outputs, RowScores, Shape, Size
from fqbench.tasks.shapes import FREE, finite, unexpected_outputs, unexpected_shapes
from fqbench.vision.geometry import Geometry

LAYOUT = "one output [1, 4 + classes, n], n greater than 4 + classes"


def _decoder(settings: YoloV8, size: Size) -> DecodeFunction:
    return partial(_read, settings)


def _read(decode: YoloV8, outputs: Outputs, geometry: Geometry) -> Detections:
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] != 1 or not 5 <= shape[1] <= shape[2]:
        raise unexpected_outputs(outputs, LAYOUT)
    columns = finite(outputs[0][0])
    require_scores(columns[4:], ("yolo_pose", "yolo_seg"))
    boxes = corners(columns[:2].T, columns[2:4].T)
    return suppressed(decode, boxes, columns[4:].T, geometry.to_image)


def _classes(settings: YoloV8, size: Size, outputs: Sequence[Shape]) -> int | None:
    shape = outputs[0] if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] not in (FREE, 1) or 0 <= shape[1] < 5:
        raise unexpected_shapes(settings.kind, outputs, LAYOUT)
    if FREE not in shape and shape[1] > shape[2]:
        raise unexpected_shapes(settings.kind, outputs, LAYOUT)
    return shape[1] - 4 if shape[1] != FREE else None


def _axes(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
    return (2,) if len(shapes) == 1 and len(shapes[0]) == 3 else None


def _scores(outputs: Outputs) -> NDArray[Any]:
    return np.asarray(outputs[0][0, 4:].max(axis=0))


YOLOV8 = Decoder(
    settings=YoloV8,
    function=_decoder,
    imports=None,
    classes_of=_classes,
    recognizes=is_by_columns,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=RowScores(_axes, _scores),
)
