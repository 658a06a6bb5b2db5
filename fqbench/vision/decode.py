"""From a model's outputs to boxes or a class."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError, UsageError
from fqbench.spec import Decode, Logits, PPYoloe, PythonDecoder, YoloV5, YoloX
from fqbench.spec.model import Size
from fqbench.vision.geometry import Boxes, Geometry
from fqbench.vision.nms import nms_by_class

CANDIDATES = 30_000
"""As many boxes of the best scores go into NMS, as in YOLOv5's evaluation."""


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

    It raises StepError for outputs of a wrong shape or with NaN. Raises UsageError for a
    decoder of the user's own that is not allowed or cannot be imported.
    """
    if isinstance(decode, PythonDecoder):
        return _own(decode, allow_code)
    functions: dict[type, Callable[[Any, Outputs, Geometry], Answer]] = {
        Logits: lambda d, outputs, geometry: _logits(outputs),
        YoloV5: lambda d, outputs, geometry: _yolov5(d, outputs, geometry),
        YoloX: lambda d, outputs, geometry: _yolox(d, outputs, geometry, input_size),
        PPYoloe: lambda d, outputs, geometry: _ppyoloe(d, outputs, geometry),
    }
    function = functions[type(decode)]

    def checked(outputs: Outputs, geometry: Geometry) -> Answer:
        if any(np.isnan(output).any() for output in outputs):
            raise StepError("the model's output holds NaN")
        return function(decode, outputs, geometry)

    return checked


def _own(decode: PythonDecoder, allow_code: bool) -> Decoder:
    if not allow_code:
        raise UsageError(
            f"decode.function {decode.function!r} runs code of the spec's choice: allow it by"
            " --allow-code if you trust the spec"
        )
    module, _, name = decode.function.partition(":")
    try:
        function: Decoder = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"decode.function {decode.function!r} cannot be imported: {error}"
        ) from error
    return function


def _logits(outputs: Outputs) -> int:
    scores = _single(outputs, "[1, classes]")
    if scores.size != scores.shape[-1] and scores.size != scores.shape[1]:
        raise StepError(f"the output has shape {list(scores.shape)}, expected [1, classes]")
    return int(np.argmax(scores))


def _yolov5(decode: YoloV5, outputs: Outputs, geometry: Geometry) -> Detections:
    rows = _rows(outputs)
    return _suppressed(decode, _corners(rows[:, :4]), rows[:, 4:5] * rows[:, 5:], geometry)


def _yolox(decode: YoloX, outputs: Outputs, geometry: Geometry, size: Size) -> Detections:
    rows = _rows(outputs)
    cells, strides = _grid(size, decode.strides)
    if len(rows) != len(cells):
        raise StepError(
            f"the output has {len(rows)} rows, expected {len(cells)} for strides"
            f" {list(decode.strides)} at {size[0]}x{size[1]}"
        )
    centers = (rows[:, :2] + cells) * strides
    # Beyond e^30 pixels a size is nonsense in any case, and must not become infinite.
    sizes = np.exp(np.minimum(rows[:, 2:4], 30)) * strides
    boxes = _corners(np.concatenate([centers, sizes], axis=1))
    return _suppressed(decode, boxes, rows[:, 4:5] * rows[:, 5:], geometry)


def _ppyoloe(decode: PPYoloe, outputs: Outputs, geometry: Geometry) -> Detections:
    """Rows after NMS are in image pixels already; boxes before NMS are in input pixels."""
    if len(outputs) == 2 and outputs[0].ndim == 2 and outputs[0].shape[1] == 6:
        rows = outputs[0][: int(np.asarray(outputs[1]).reshape(-1)[0])]
        rows = rows[(rows[:, 0] >= 0) & (rows[:, 1] > decode.score)][: decode.max_boxes]
        boxes = geometry.clip(rows[:, 2:].astype(np.float32))
        return Detections(boxes, rows[:, 1].astype(np.float32), rows[:, 0].astype(np.int64))
    if len(outputs) == 2 and all(output.ndim == 3 for output in outputs):
        boxes, scores = outputs[0][0], outputs[1][0]
        if boxes.shape[1] == 4 and scores.shape[1] == len(boxes):
            return _suppressed(decode, boxes, scores.T, geometry)
    shapes = [list(output.shape) for output in outputs]
    raise StepError(
        f"the outputs have shapes {shapes}, expected [n, 6] and a count, or [1, n, 4] and"
        " [1, classes, n]"
    )


def _single(outputs: Outputs, expected: str) -> NDArray[Any]:
    if len(outputs) != 1 or outputs[0].ndim < 2 or outputs[0].shape[0] != 1:
        shapes = [list(output.shape) for output in outputs]
        raise StepError(f"the outputs have shapes {shapes}, expected one of {expected}")
    return outputs[0]


def _rows(outputs: Outputs) -> NDArray[np.float32]:
    rows = _single(outputs, "[1, n, 5 + classes]")
    if rows.ndim != 3 or rows.shape[2] < 6:
        raise StepError(f"the output has shape {list(rows.shape)}, expected [1, n, 5 + classes]")
    return np.asarray(rows[0], dtype=np.float32)


def _grid(size: Size, strides: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cell x, y [n, 2] and stride [n, 1] of each row, strides in order, cells row by row."""
    cells, factors = [], []
    for stride in strides:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        factors.append(np.full((y.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(factors).astype(np.float32)


def _corners(boxes: NDArray[np.float32]) -> Boxes:
    """x, y of the centre, width, height as x1, y1, x2, y2."""
    centers, halves = boxes[:, :2], boxes[:, 2:4] / 2
    return np.concatenate([centers - halves, centers + halves], axis=1)


def _suppressed(
    decode: YoloV5 | YoloX | PPYoloe,
    boxes: Boxes,
    scores: NDArray[np.float32],
    geometry: Geometry,
) -> Detections:
    """Candidates above the score, after NMS; ``scores`` [n, classes]."""
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
    kept = nms_by_class(boxes[rows], found, labels, decode.iou, decode.max_boxes)
    return Detections(
        geometry.to_image(boxes[rows[kept]]), found[kept], labels[kept].astype(np.int64)
    )
