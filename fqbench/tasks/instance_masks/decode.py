"""From boxes with coefficients, and prototypes of masks, to a mask of each object (YOLO-seg)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fqbench.tasks.detection.layouts import grid_rows, require_scores
from fqbench.tasks.detection.settings import RowSettings
from fqbench.tasks.detection.suppression import corners, suppress
from fqbench.tasks.instance_masks.answers import Instances
from fqbench.tasks.instance_masks.disagreement import COMPARISON
from fqbench.tasks.instance_masks.runs import Runs, encode
from fqbench.tasks.record import DecodeFunction, Decoder, Outputs, Shape, Size
from fqbench.tasks.shapes import FREE, finite, is_grid, unexpected_outputs, unexpected_shapes
from fqbench.vision.geometry import Boxes, Geometry
from fqbench.vision.sampling import matrix

LAYOUT = "[1, 4 + classes + m, n] and prototypes [1, m, h, w]"


class YoloSeg(RowSettings):
    """Columns of cx, cy, w, h in input pixels, one score a class, and factors of prototypes."""

    kind: Literal["yolo_seg"]
    iou: Annotated[float, Field(gt=0, le=1)] = 0.7


def _decoder(settings: YoloSeg, size: Size) -> DecodeFunction:
    return partial(_read, settings, size)


def _read(decode: YoloSeg, size: Size, outputs: Outputs, geometry: Geometry) -> Instances:
    ordered = sorted(outputs, key=lambda output: output.ndim)
    if _layout(size, [output.shape for output in ordered]) is None:
        raise unexpected_outputs(outputs, LAYOUT)
    columns, prototypes = finite(ordered[0][0]), finite(ordered[1][0])
    classes = len(columns) - len(prototypes)
    require_scores(columns[4:classes], ("yolov8", "yolo_pose"))
    boxes = corners(columns[:2].T, columns[2:4].T)
    kept = suppress(decode, boxes, columns[4:classes].T)
    found = finite(geometry.to_image(boxes[kept.rows]))
    masks = _masks(columns[classes:, kept.rows].T, prototypes, found, size, geometry)
    return Instances(found, kept.scores, kept.labels, masks, geometry.image_size)


def _masks(
    factors: NDArray[np.float32],
    prototypes: NDArray[np.float32],
    boxes: Boxes,
    size: Size,
    geometry: Geometry,
) -> tuple[Runs, ...]:
    """Of each of ``boxes``: where inside of it the sum of the prototypes is above 0.

    The sum is interpolated at each pixel of the image, as in the authors' evaluation.
    """
    grid = (prototypes.shape[1], prototypes.shape[2])
    down, across = geometry.places(size, grid)
    rows, columns = matrix(down, grid[0]), matrix(across, grid[1])
    sums = np.tensordot(factors, prototypes, axes=1)
    found = []
    for box, values in zip(boxes, sums, strict=True):
        # Pixels by their indices, as the authors cut them.
        left, top, right, bottom = np.ceil(box).astype(int).tolist()
        mask = np.zeros(geometry.image_size, np.bool_)
        if right > left and bottom > top:
            inside = columns[left:right] @ (rows[top:bottom] @ values).T
            mask[top:bottom, left:right] = inside.T > 0
        found.append(encode(mask))
    return tuple(found)


def _layout(size: Size, outputs: Sequence[Shape]) -> int | None:
    """How many classes outputs of these shapes have, None for others; the rows come first."""
    if [len(shape) for shape in outputs] != [3, 4]:
        return None
    rows, prototypes = outputs
    if {rows[0], prototypes[0]} - {FREE, 1} or FREE in (rows[1], *prototypes[1:]):
        return None
    classes = rows[1] - 4 - prototypes[1]
    return classes if classes > 0 and is_grid(size, prototypes[2:]) else None


def _classes(settings: YoloSeg, size: Size, outputs: Sequence[Shape]) -> int | None:
    classes = _layout(size, sorted(outputs, key=len))
    if classes is None:
        raise unexpected_shapes(settings.kind, outputs, LAYOUT)
    return classes


def _recognizes(size: Size, outputs: Sequence[Shape]) -> bool:
    ordered = sorted(outputs, key=len)
    return _layout(size, ordered) is not None and ordered[0][2] in grid_rows(size)


YOLO_SEG = Decoder(
    settings=YoloSeg,
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
