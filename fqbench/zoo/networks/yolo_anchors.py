"""The head of YOLOv5 and YOLOv7: three anchors a cell, decoded to boxes in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional

from fqbench.zoo.networks.units import grid

STRIDES = (8, 16, 32)
Anchors = Sequence[tuple[int, int]]


class AnchorHead(nn.Layer):
    """From feature maps at the strides to rows of cx, cy, w, h, objectness, classes."""

    def __init__(
        self, inputs: Sequence[int], anchors: Sequence[Anchors], size: int, classes: int
    ) -> None:
        super().__init__()
        self.values = 5 + classes
        self.convs = nn.LayerList(
            nn.Conv2D(c, len(a) * self.values, 1) for c, a in zip(inputs, anchors, strict=True)
        )
        for level, (stride, boxes) in enumerate(zip(STRIDES, anchors, strict=True)):
            sizes = paddle.to_tensor(boxes, dtype="float32").reshape([1, len(boxes), 1, 1, 2])
            self.register_buffer(f"grid_{level}", grid(size // stride, size // stride) - 0.5)
            self.register_buffer(f"anchors_{level}", sizes)

    def forward(self, features: Sequence[Any]) -> Any:
        """[n, rows, 5 + classes]; source of the formulas: YOLOv5, models/yolo.py, Detect."""
        found = [self._level(level, x) for level, x in enumerate(features)]
        return paddle.concat(found, axis=1)

    def _level(self, level: int, x: Any) -> Any:
        images, _, height, width = x.shape
        rows = self.convs[level](x).reshape([images, -1, self.values, height, width])
        rows = functional.sigmoid(rows.transpose([0, 1, 3, 4, 2]))
        center, size, scores = rows.split([2, 2, self.values - 4], axis=-1)
        center = (center * 2 + getattr(self, f"grid_{level}")) * STRIDES[level]
        size = (size * 2) ** 2 * getattr(self, f"anchors_{level}")
        return paddle.concat([center, size, scores], axis=-1).reshape([images, -1, self.values])
