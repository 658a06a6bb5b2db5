"""What a spec may set of the decoders of detectors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fqbench.tasks.record import DecoderSettings


class BoxSettings(DecoderSettings):
    """What all of them have: which boxes non-maximum suppression keeps."""

    score: Annotated[float, Field(ge=0, lt=1)] = 0.001
    iou: Annotated[float, Field(gt=0, le=1)] = 0.65
    max_boxes: Annotated[int, Field(gt=0)] = 300


class RowSettings(BoxSettings):
    """Of decoders of rows with objectness: whether a box may have several classes."""

    multi_label: bool = True


class YoloV5(RowSettings):
    """Rows of cx, cy, w, h in input pixels, objectness, one score a class."""

    kind: Literal["yolov5"]


class YoloX(RowSettings):
    """As ``YoloV5``, but xy in cells and wh as logarithms of cells of the strides' grids."""

    kind: Literal["yolox"]
    strides: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)] = (8, 16, 32)


class PPYoloe(BoxSettings):
    """Rows of label, score, x1, y1, x2, y2 and a count; or boxes and scores before NMS."""

    kind: Literal["ppyoloe"]
