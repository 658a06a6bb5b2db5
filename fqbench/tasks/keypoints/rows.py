"""Keypoints of all persons of an image, found with their boxes (YOLO-pose)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np

from fqbench.tasks.detection.layouts import is_by_columns, require_scores
from fqbench.tasks.detection.settings import RowSettings
from fqbench.tasks.detection.suppression import corners, suppress
from fqbench.tasks.keypoints.answers import Poses
from fqbench.tasks.keypoints.disagreement import COMPARISON
from fqbench.tasks.record import DecodeFunction, Decoder, Outputs, Shape, Size
from fqbench.tasks.shapes import FREE, finite, unexpected_outputs, unexpected_shapes
from fqbench.vision.geometry import Geometry

LAYOUT = "one output [1, 5 + 3 keypoints, n]: box, score, and x, y, visibility of each keypoint"


class YoloPose(RowSettings):
    """Columns of cx, cy, w, h in input pixels, the person's score, x, y, visibility a keypoint."""

    kind: Literal["yolo_pose"]
    iou: float = 0.7


def _decoder(settings: YoloPose, size: Size) -> DecodeFunction:
    return partial(_read, settings)


def _read(decode: YoloPose, outputs: Outputs, geometry: Geometry) -> Poses:
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] != 1 or shape[1] < 8 or shape[1] % 3 != 2:
        raise unexpected_outputs(outputs, LAYOUT)
    columns = finite(outputs[0][0])
    visible = columns[7::3]
    require_scores(np.concatenate([columns[4:5], visible]), ("yolov8", "yolo_seg"))
    boxes = corners(columns[:2].T, columns[2:4].T)
    kept = suppress(decode, boxes, columns[4:5].T)
    points = columns[5:, kept.rows].T.reshape(len(kept.rows), -1, 3)
    (scale_y, scale_x), (y, x) = geometry.scale, geometry.offset
    # Coordinates are of edges here; keypoints are indices, half a pixel less.
    places = (points[:, :, :2] - (x, y)) / (scale_x, scale_y) - 0.5
    keypoints = np.concatenate([places, points[:, :, 2:]], axis=2)
    return Poses(finite(keypoints), kept.scores)


def _classes(settings: YoloPose, size: Size, outputs: Sequence[Shape]) -> int | None:
    shape = outputs[0] if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] not in (FREE, 1):
        raise unexpected_shapes(settings.kind, outputs, LAYOUT)
    if shape[1] != FREE and (shape[1] < 8 or shape[1] % 3 != 2):
        raise unexpected_shapes(settings.kind, outputs, LAYOUT)
    return 1


def _recognizes(size: Size, outputs: Sequence[Shape]) -> bool:
    return is_by_columns(size, outputs) and outputs[0][1] >= 8 and outputs[0][1] % 3 == 2


YOLO_POSE = Decoder(
    settings=YoloPose,
    function=_decoder,
    imports=None,
    classes_of=_classes,
    recognizes=_recognizes,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=None,
)
