"""What a spec may set of the decoders of detectors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fqbench.tasks.record import DecoderSettings

Strides = Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]
"""Pixels of the input that a cell of each grid has along both axes."""


class ScoreSettings(DecoderSettings):
    """What all of them have: which boxes count, and how many at most."""

    score: Annotated[float, Field(ge=0, lt=1)] = 0.001
    max_boxes: Annotated[int, Field(gt=0)] = 300


class BoxSettings(ScoreSettings):
    """Of decoders of boxes that overlap: which ones non-maximum suppression keeps."""

    iou: Annotated[float, Field(gt=0, le=1)] = 0.65


class RowSettings(BoxSettings):
    """Of decoders of one box a place: whether a box may have several classes."""

    multi_label: bool = True


class YoloV5(RowSettings):
    """Rows of cx, cy, w, h in input pixels, objectness, one score a class."""

    kind: Literal["yolov5"]


class YoloX(RowSettings):
    """As ``YoloV5``, but xy in cells and wh as logarithms of cells of the strides' grids."""

    kind: Literal["yolox"]
    strides: Strides = (8, 16, 32)


class YoloV8(RowSettings):
    """Columns of cx, cy, w, h in input pixels and one score a class."""

    kind: Literal["yolov8"]
    iou: Annotated[float, Field(gt=0, le=1)] = 0.7


class NanoDet(RowSettings):
    """Scores of classes, and for each side of a box the logits of its distance in cells (DFL).

    ``bins``: of a distance, 0 to ``bins`` - 1; ``center``: where in its cell a box is measured
    from, 0 at its corner (NanoDet-Plus), 0.5 in its middle (NanoDet, PicoDet).
    """

    kind: Literal["nanodet"]
    iou: Annotated[float, Field(gt=0, le=1)] = 0.6
    strides: Strides = (8, 16, 32, 64)
    bins: Annotated[int, Field(gt=1)] = 8
    center: Annotated[float, Field(ge=0, le=1)] = 0.0


class PPYoloe(BoxSettings):
    """Rows of label, score, x1, y1, x2, y2 and a count; or boxes and scores before NMS."""

    kind: Literal["ppyoloe"]


class YoloV10(ScoreSettings):
    """The best rows of x1, y1, x2, y2 in input pixels, score, label."""

    kind: Literal["yolov10"]


class Detr(ScoreSettings):
    """Boxes cx, cy, w, h as parts of the input, and logits of classes, a query each.

    ``activation``: what makes scores of logits. With ``softmax`` the last class is none.
    """

    kind: Literal["detr"]
    activation: Literal["sigmoid", "softmax"] = "sigmoid"


class RtDetr(ScoreSettings):
    """Labels, boxes x1, y1, x2, y2 and scores; ``pixels``: of what its boxes are in pixels."""

    kind: Literal["rtdetr"]
    pixels: Literal["image", "input"] = "image"
