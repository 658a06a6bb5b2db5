"""How outputs of detectors are told apart: by their shapes, and by a look at real values.

A decoder that is given another one's rows finds boxes in them, too, all of them wrong. So each says
which shapes can only be its own, and looks at the values that it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError, UsageError
from fqbench.tasks.record import Shape, Size
from fqbench.tasks.shapes import FREE, shown

STRIDES = (4, 8, 16, 32, 64, 128)
"""Of the grids that detectors look for boxes on: runs of these, most often 8, 16, 32."""

COARSEST = 32
"""The finest grid of a detector has this stride, or less."""

ANCHORS = (1, 2, 3, 4, 5, 6, 9)
"""Boxes of one cell."""

MOST_QUERIES = 2000
"""What ends in the best rows, or asks by queries, answers at most so many boxes; most have 300."""

MOST_CLASSES = 2000
"""Boxes of a row each have at most so many classes, or fewer than there are rows."""

LARGEST_SCORE = 1.1
"""Scores are 0 to 1; a quantized sigmoid may end a step beyond."""


def grid_rows(size: Size) -> frozenset[int]:
    """How many rows a network of this input ``size`` may have: one for each box of each cell.

    Of two grids or more, one of them fine: fewer cells would be as few as others have queries.
    """
    cells = [-(-size[0] // stride) * -(-size[1] // stride) for stride in STRIDES]
    runs = combinations(range(len(cells) + 1), 2)
    counts = [sum(cells[i:j]) for i, j in runs if j - i > 1 and STRIDES[i] <= COARSEST]
    return frozenset(count * anchors for count in counts for anchors in ANCHORS)


def require_rows(kind: str, outputs: Sequence[Shape]) -> None:
    """Raise UsageError where what stands for classes is so long that it can only be the boxes."""
    shape = _only(outputs)
    if shape is not None and shape[2] > max(shape[1], MOST_CLASSES):
        raise UsageError(
            f"the outputs have shapes {shown(shape)}, one box a column as 'yolov8' and 'yolo_pose'"
            f" read them, decode.kind {kind!r} needs one a row"
        )


def is_by_rows(size: Size, outputs: Sequence[Shape]) -> bool:
    """One output [1, n, 5 + classes], n boxes of the cells of grids."""
    shape = _only(outputs)
    return shape is not None and 6 <= shape[2] < shape[1] and shape[1] in grid_rows(size)


def is_by_rows_or_pair(size: Size, outputs: Sequence[Shape]) -> bool:
    """As ``is_by_rows``, or boxes [1, n, 4] and scores [1, classes, n]."""
    if len(outputs) != 2:
        return is_by_rows(size, outputs)
    boxes, scores = outputs
    return len(boxes) == len(scores) == 3 and tuple(boxes[1:]) == (scores[2], 4)


def is_by_columns(size: Size, outputs: Sequence[Shape]) -> bool:
    """One output [1, 4 + classes, n], n cells of grids."""
    shape, known = _only(outputs), grid_rows(size)
    if shape is None or not 5 <= shape[1] < shape[2]:
        return False
    return shape[2] in known and shape[1] not in known


def is_best_rows(size: Size, outputs: Sequence[Shape]) -> bool:
    """One output [1, n, 6] of fewer rows than grids have cells."""
    shape = _only(outputs)
    if shape is None or shape[2] != 6:
        return False
    usual = shape[1] % 100 == 0 or shape[1] not in grid_rows(size)
    return usual and 10 <= shape[1] <= MOST_QUERIES


def is_by_queries(size: Size, outputs: Sequence[Shape]) -> bool:
    """Boxes [1, n, 4] and scores [1, n, classes] of the same n queries, in any order."""
    if len(outputs) != 2 or any(len(shape) != 3 for shape in outputs):
        return False
    boxes, scores = sorted(outputs, key=lambda shape: shape[2] != 4)
    same = boxes[1] == scores[1] and 10 <= boxes[1] <= MOST_QUERIES
    return same and boxes[2] == 4 and scores[2] not in (FREE, boxes[1])


def is_labels_boxes_scores(size: Size, outputs: Sequence[Shape]) -> bool:
    """Boxes [1, n, 4], and labels and scores [1, n] each, in any order."""
    if len(outputs) != 3:
        return False
    flat, boxes = ([s for s in outputs if len(s) == rank] for rank in (2, 3))
    if len(flat) != 2 or len(boxes) != 1 or boxes[0][2] not in (FREE, 4):
        return False
    return {flat[0][1], flat[1][1]} <= {FREE, boxes[0][1]}


def require_scores(scores: NDArray[np.float32], kinds: Iterable[str]) -> None:
    """Raise StepError where ``scores`` hold what is none, naming decoders that may fit."""
    if scores.size and (scores.max() > LARGEST_SCORE or scores.min() < 1 - LARGEST_SCORE):
        raise StepError(
            f"what stands where scores of 0 to 1 are read goes from {scores.min():.4g} to"
            f" {scores.max():.4g}: the model's outputs are of another layout"
            f" ({' or '.join(map(repr, kinds))} may be its decode.kind), or lack a sigmoid"
        )


def _only(outputs: Sequence[Shape]) -> Shape | None:
    """The shape [1, rows, columns] of the only output; None where there is another."""
    shape = outputs[0] if len(outputs) == 1 else ()
    return shape if len(shape) == 3 and shape[0] in (FREE, 1) and FREE not in shape[1:] else None
