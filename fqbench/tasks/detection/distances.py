"""Detectors that say for each side of a box how likely each distance is (NanoDet, PicoDet).

"Distribution focal loss": Li et al., "Generalized Focal Loss", 2020. A distance is the mean of its
distribution, in cells of its grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError, UsageError
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.disagreement import COMPARISON
from fqbench.tasks.detection.layouts import require_scores
from fqbench.tasks.detection.settings import NanoDet
from fqbench.tasks.detection.suppression import suppressed
from fqbench.tasks.record import DecodeFunction, Decoder, Outputs, Shape, Size
from fqbench.tasks.shapes import FREE, finite, unexpected_outputs, unexpected_shapes
from fqbench.vision.geometry import Geometry

LAYOUT = (
    "one output [1, n, classes + 4 bins], or for each stride scores [1, n, classes] and distances"
    " [1, n, 4 bins]"
)


def _decoder(settings: NanoDet, size: Size) -> DecodeFunction:
    return partial(_read, settings, *_centers(settings, size))


def _read(
    decode: NanoDet,
    centers: NDArray[np.float32],
    strides: NDArray[np.float32],
    outputs: Outputs,
    geometry: Geometry,
) -> Detections:
    scores, distances = _joined(decode, outputs)
    if len(scores) != len(centers):
        raise StepError(
            f"the outputs have {len(scores)} rows, expected {len(centers)} for decode.strides"
            f" {list(decode.strides)}"
        )
    require_scores(scores, ("yolov5", "ppyoloe"))
    logits = distances.reshape(len(distances), 4, decode.bins)
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    chances = powers / powers.sum(axis=2, keepdims=True)
    sides = (chances @ np.arange(decode.bins, dtype=np.float32)) * strides
    boxes = np.concatenate([centers - sides[:, :2], centers + sides[:, 2:]], axis=1)
    return suppressed(decode, boxes.astype(np.float32), scores, geometry.to_image)


def _joined(decode: NanoDet, outputs: Outputs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores [n, classes] and logits of distances [n, 4 bins] of all strides.

    Outputs of the strides come in the order of these, scores and distances in any.
    """
    if _class_count(decode, [output.shape for output in outputs]) is None:
        raise unexpected_outputs(outputs, LAYOUT)
    width, rows = 4 * decode.bins, [finite(output[0]) for output in outputs]
    if len(rows) == 1:
        return rows[0][:, :-width], rows[0][:, -width:]
    parts = [[each for each in rows if (each.shape[1] == width) == last] for last in (False, True)]
    ordered = [sorted(part, key=len, reverse=True) for part in parts]
    return np.concatenate(ordered[0]), np.concatenate(ordered[1])


def _class_count(decode: NanoDet, shapes: Sequence[Shape]) -> int | None:
    """How many classes outputs of these shapes have; None for others."""
    width = 4 * decode.bins
    if any(len(shape) != 3 or shape[0] not in (FREE, 1) for shape in shapes):
        return None
    if len(shapes) == 1:
        return shapes[0][2] - width if shapes[0][2] > width else None
    classes = {shape[2] for shape in shapes if shape[2] != width}
    whole = len(shapes) == 2 * len(decode.strides)
    return min(classes) if whole and len(classes) == 1 and min(classes) > 0 else None


def _centers(decode: NanoDet, size: Size) -> tuple[NDArray[Any], NDArray[Any]]:
    """x, y [n, 2] of each row in input pixels, and its stride [n, 1]."""
    found, factors = [], []
    for stride in decode.strides:
        y, x = np.mgrid[: -(-size[0] // stride), : -(-size[1] // stride)]
        found.append((np.stack([x, y], axis=-1).reshape(-1, 2) + decode.center) * stride)
        factors.append(np.full((y.size, 1), stride))
    return np.concatenate(found).astype(np.float32), np.concatenate(factors).astype(np.float32)


def _classes(settings: NanoDet, size: Size, outputs: Sequence[Shape]) -> int | None:
    classes = _class_count(settings, outputs)
    if classes is None:
        raise unexpected_shapes(settings.kind, outputs, LAYOUT)
    rows, expected = outputs[0][1], len(_centers(settings, size)[0])
    if len(outputs) == 1 and rows not in (FREE, expected):
        raise UsageError(
            f"the output has {rows} rows, decode.strides {list(settings.strides)} make {expected}"
        )
    return classes


NANODET = Decoder(
    settings=NanoDet,
    function=_decoder,
    imports=None,
    classes_of=_classes,
    recognizes=None,  # Rows of YOLOv5's with more classes look the same.
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=None,
)
