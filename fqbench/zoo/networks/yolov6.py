"""YOLOv6s, release 0.1 (Meituan), at 640x640: 17.2 M parameters, 44.2 GFLOPs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional

from fqbench.zoo.networks.units import ConvUnit, PyramidPooling, grid

STRIDES = (8, 16, 32)


def _unit(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> ConvUnit:
    return ConvUnit(inputs, outputs, kernel, stride, activation="relu")


def _rep_block(inputs: int, outputs: int, count: int) -> nn.Sequential:
    """RepVGG blocks, each folded into one 3x3 unit."""
    units = (_unit(inputs if i == 0 else outputs, outputs, 3) for i in range(count))
    return nn.Sequential(*units)


def _stage(inputs: int, outputs: int, count: int) -> nn.Sequential:
    return nn.Sequential(_unit(inputs, outputs, 3, 2), _rep_block(outputs, outputs, count))


class DecoupledHead(nn.Layer):
    """One prediction a cell, boxes, objectness and classes from branches of their own."""

    def __init__(self, inputs: Sequence[int], size: int, classes: int) -> None:
        super().__init__()

        def units(kernel: int) -> nn.LayerList:
            return nn.LayerList(ConvUnit(c, c, kernel, activation="silu") for c in inputs)

        def predictions(values: int) -> nn.LayerList:
            return nn.LayerList(nn.Conv2D(c, values, 1) for c in inputs)

        self.values = 5 + classes
        self.stems, self.class_units, self.box_units = units(1), units(3), units(3)
        self.boxes, self.objectness = predictions(4), predictions(1)
        self.classes = predictions(classes)
        for level, stride in enumerate(STRIDES):
            cells = grid(size // stride, size // stride).reshape([1, -1, 2])
            self.register_buffer(f"grid_{level}", cells)

    def forward(self, features: Sequence[Any]) -> Any:
        """[n, rows, 5 + classes]; source of the formulas: YOLOv6 0.1, effidehead.py."""
        return paddle.concat([self._level(i, x) for i, x in enumerate(features)], axis=1)

    def _level(self, level: int, x: Any) -> Any:
        stem = self.stems[level](x)
        box_features = self.box_units[level](stem)
        classes = functional.sigmoid(self.classes[level](self.class_units[level](stem)))
        objectness = functional.sigmoid(self.objectness[level](box_features))
        rows = paddle.concat([self.boxes[level](box_features), objectness, classes], axis=1)
        rows = rows.reshape([x.shape[0], self.values, -1]).transpose([0, 2, 1])
        center, size, scores = rows.split([2, 2, self.values - 4], axis=-1)
        center = (center + getattr(self, f"grid_{level}")) * STRIDES[level]
        return paddle.concat([center, size.exp() * STRIDES[level], scores], axis=-1)


class YoloV6s(nn.Layer):
    """[images, 3, size, size] to rows [images, n, 85]."""

    def __init__(self, size: int = 640, classes: int = 80) -> None:
        super().__init__()
        self.stage3 = nn.Sequential(_unit(3, 32, 3, 2), _stage(32, 64, 2), _stage(64, 128, 4))
        self.stage4 = _stage(128, 256, 6)
        self.stage5 = nn.Sequential(_stage(256, 512, 2), PyramidPooling(512, "relu"))
        self.lateral5, self.enlarge5 = _unit(512, 128), nn.Conv2DTranspose(128, 128, 2, 2)
        self.up4 = _rep_block(384, 128, 4)
        self.lateral4, self.enlarge4 = _unit(128, 64), nn.Conv2DTranspose(64, 64, 2, 2)
        self.up3 = _rep_block(192, 64, 4)
        self.down4, self.out4 = _unit(64, 64, 3, 2), _rep_block(128, 128, 4)
        self.down5, self.out5 = _unit(128, 128, 3, 2), _rep_block(256, 256, 4)
        self.head = DecoupledHead((64, 128, 256), size, classes)

    def forward(self, x: Any) -> Any:
        """Rows of cx, cy, w, h in pixels, objectness, classes."""
        c3 = self.stage3(x)
        c4 = self.stage4(c3)
        p5 = self.lateral5(self.stage5(c4))
        p4 = self.lateral4(self.up4(paddle.concat([self.enlarge5(p5), c4], axis=1)))
        n3 = self.up3(paddle.concat([self.enlarge4(p4), c3], axis=1))
        n4 = self.out4(paddle.concat([self.down4(n3), p4], axis=1))
        n5 = self.out5(paddle.concat([self.down5(n4), p5], axis=1))
        return self.head([n3, n4, n5])
