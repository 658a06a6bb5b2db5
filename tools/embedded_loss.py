"""The training loss of the embedded YOLOv5: which anchors answer for a box, and how well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import paddle
from embedded_models import ANCHORS, STRIDES
from numpy.typing import NDArray
from paddle import Tensor
from paddle.nn import functional

_RATIO = 2.2
"""An anchor answers for a box whose sides are at most this many times larger or smaller."""
_LEVELS = (4.0, 1.0, 0.4)
"""Weight of the objectness of each scale: the finest has most cells and fewest objects."""


@dataclass(frozen=True)
class Targets:
    """What one scale should say: ``index`` [k, 4] of image, anchor, row, column; ``boxes`` [k, 4]
    cx, cy, w, h in pixels; ``labels`` [k]."""

    index: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]


def assign(truth: NDArray[np.float32], level: int, cells: int) -> Targets:
    """Match ``truth`` [m, 6] (image, label, cx, cy, w, h in pixels) to one scale's anchors.

    As in YOLOv5, a box is answered for by its own cell and by the nearer neighbour in each
    direction, so that three cells learn from it.
    """
    anchors = np.array(ANCHORS[level], np.float32)
    ratio = truth[:, None, 4:6] / anchors
    box, anchor = np.nonzero(np.maximum(ratio, 1 / ratio).max(axis=2) < _RATIO)
    place = truth[box, 2:4] / STRIDES[level]
    cell = np.floor(place)
    side = np.where(place - cell < 0.5, -1.0, 1.0)
    every = [cell, cell + side * [1, 0], cell + side * [0, 1]]
    column_row = np.concatenate(every).astype(np.int64)
    box, anchor = np.tile(box, 3), np.tile(anchor, 3)
    inside = ((column_row >= 0) & (column_row < cells)).all(axis=1)
    box, anchor, column_row = box[inside], anchor[inside], column_row[inside]
    index = np.stack([truth[box, 0].astype(np.int64), anchor, *column_row.T[::-1]], axis=1)
    return Targets(index, truth[box, 2:6], truth[box, 1].astype(np.int64))


def ciou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU (Zheng et al. 2020) of boxes [k, 4] cx, cy, w, h: [k], at most 1."""
    a_low, a_high = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    b_low, b_high = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    shared = functional.relu(paddle.minimum(a_high, b_high) - paddle.maximum(a_low, b_low))
    common = shared[:, 0] * shared[:, 1]
    union = a[:, 2] * a[:, 3] + b[:, 2] * b[:, 3] - common + 1e-7
    iou = common / union
    around = paddle.maximum(a_high, b_high) - paddle.minimum(a_low, b_low)
    apart = ((a[:, :2] - b[:, :2]) ** 2).sum(axis=1) / ((around**2).sum(axis=1) + 1e-7)
    angle = paddle.atan(a[:, 2] / (a[:, 3] + 1e-7)) - paddle.atan(b[:, 2] / (b[:, 3] + 1e-7))
    shape = angle**2 * (4 / np.pi**2)
    weight = (shape / (1 - iou + shape + 1e-7)).detach()
    return iou - apart - shape * weight


def detection_loss(heads: list[Tensor], truth: NDArray[np.float32], values: int) -> Tensor:
    """Box, objectness and class loss of the raw ``heads`` against ``truth`` (see ``assign``)."""
    total = paddle.zeros([])
    for level, head in enumerate(heads):
        count, _, cells, _ = head.shape
        rows = head.reshape([count, 3, values, cells, cells]).transpose([0, 1, 3, 4, 2])
        targets = assign(truth, level, cells)
        wanted = np.zeros((count, 3, cells, cells), np.float32)
        if len(targets.labels):
            said = paddle.gather_nd(rows, paddle.to_tensor(targets.index))
            quality = ciou(_boxes(said, targets, level), paddle.to_tensor(targets.boxes))
            np.maximum.at(wanted, tuple(targets.index.T), np.maximum(quality.numpy(), 0))
            one_hot = np.eye(values - 5, dtype=np.float32)[targets.labels]
            total += 2.0 * (1 - quality).mean()
            total += 12.0 * functional.binary_cross_entropy_with_logits(
                said[:, 5:], paddle.to_tensor(one_hot)
            )
        total += (8.0 * _LEVELS[level]) * functional.binary_cross_entropy_with_logits(
            rows[..., 4], paddle.to_tensor(wanted)
        )
    return total


def _boxes(said: Tensor, targets: Targets, level: int) -> Tensor:
    """Decode head rows [k, values] to boxes [k, 4] in pixels."""
    s = functional.sigmoid(said[:, :4])
    cell = paddle.to_tensor(targets.index[:, [3, 2]].astype(np.float32))
    anchor = paddle.to_tensor(np.array(ANCHORS[level], np.float32)[targets.index[:, 1]])
    centre = (s[:, :2] * 2 - 0.5 + cell) * STRIDES[level]
    return paddle.concat([centre, (s[:, 2:] * 2) ** 2 * anchor], axis=1)
