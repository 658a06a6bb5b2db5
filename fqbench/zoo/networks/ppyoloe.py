"""PP-YOLOE-l (PaddleDetection 2.4) at 640x640: 52.2 M parameters, 110.1 GFLOPs.

Without NMS in the file, as PaddleDetection exports it with ``exclude_nms``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional

from fqbench.zoo.networks.units import ConvUnit, enlarged, grid

STRIDES = (32, 16, 8)
DISTANCES = 17
"""Each side of a box is a distribution over 0 to 16 cells."""


def _unit(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> ConvUnit:
    return ConvUnit(inputs, outputs, kernel, stride, activation="swish")


class ResidualBlock(nn.Layer):
    """A 3x3 unit and a RepVGG block folded into another; a shortcut in the backbone."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.first, self.second = _unit(channels, channels, 3), _unit(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Any) -> Any:
        """[n, channels, h, w] to the same shape."""
        y = self.second(self.first(x))
        return x + y if self.shortcut else y


class ChannelAttention(nn.Layer):
    """Effective squeeze and excitation: each channel times a gate of all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Conv2D(channels, channels, 1)

    def forward(self, x: Any) -> Any:
        """[n, channels, h, w] to the same shape."""
        return x * functional.hardsigmoid(self.gate(x.mean([2, 3], keepdim=True)))


class BackboneStage(nn.Layer):
    """CSPRes stage: halves height and width."""

    def __init__(self, inputs: int, outputs: int, count: int) -> None:
        super().__init__()
        middle = (inputs + outputs) // 2
        self.down = _unit(inputs, middle, 3, 2)
        self.past, self.through = _unit(middle, middle // 2), _unit(middle, middle // 2)
        self.inner = nn.Sequential(*(ResidualBlock(middle // 2, True) for _ in range(count)))
        self.attention = ChannelAttention(middle)
        self.merge = _unit(middle, outputs)

    def forward(self, x: Any) -> Any:
        """[n, inputs, h, w] to [n, outputs, h / 2, w / 2]."""
        x = self.down(x)
        y = paddle.concat([self.past(x), self.inner(self.through(x))], axis=1)
        return self.merge(self.attention(y))


class Pooling(nn.Layer):
    """SPP: pooling over 5, 9 and 13 pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pools = nn.LayerList(nn.MaxPool2D(k, stride=1, padding=k // 2) for k in (5, 9, 13))
        self.merge = _unit(4 * channels, channels)

    def forward(self, x: Any) -> Any:
        """[n, channels, h, w] to the same shape."""
        return self.merge(paddle.concat([x, *(pool(x) for pool in self.pools)], axis=1))


class NeckStage(nn.Layer):
    """CSP stage of three blocks without shortcuts; in one of them, pooling after the second."""

    def __init__(self, inputs: int, outputs: int, pooling: bool = False) -> None:
        super().__init__()
        half = outputs // 2
        self.past, self.through = _unit(inputs, half), _unit(inputs, half)
        inner: list[Any] = [ResidualBlock(half, False) for _ in range(3)]
        if pooling:
            inner.insert(2, Pooling(half))
        self.inner = nn.Sequential(*inner)
        self.merge = _unit(2 * half, outputs)

    def forward(self, x: Any) -> Any:
        """[n, inputs, h, w] to [n, outputs, h, w]."""
        return self.merge(paddle.concat([self.past(x), self.inner(self.through(x))], axis=1))


class TaskAttention(nn.Layer):
    """A gate a channel, then a 1x1 unit."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate, self.merge = nn.Conv2D(channels, channels, 1), _unit(channels, channels)

    def forward(self, x: Any, mean: Any) -> Any:
        """[n, channels, h, w] and the channels' means [n, channels, 1, 1] to the former shape."""
        return self.merge(x * functional.sigmoid(self.gate(mean)))


class EfficientHead(nn.Layer):
    """ET-head: class scores, and boxes as distances from the cell's centre to four sides."""

    def __init__(self, inputs: Sequence[int], size: int, classes: int) -> None:
        super().__init__()
        self.class_attention = nn.LayerList(TaskAttention(c) for c in inputs)
        self.box_attention = nn.LayerList(TaskAttention(c) for c in inputs)
        self.classes = nn.LayerList(nn.Conv2D(c, classes, 3, padding=1) for c in inputs)
        self.boxes = nn.LayerList(nn.Conv2D(c, 4 * DISTANCES, 3, padding=1) for c in inputs)
        cells = [grid(size // s, size // s).reshape([1, -1, 2]) + 0.5 for s in STRIDES]
        steps = [paddle.full_like(c[..., :1], s) for c, s in zip(cells, STRIDES, strict=True)]
        self.register_buffer("cells", paddle.concat(cells, axis=1))
        self.register_buffer("steps", paddle.concat(steps, axis=1))
        distances = paddle.arange(DISTANCES).astype("float32").reshape([1, DISTANCES, 1, 1])
        self.register_buffer("distances", distances.reshape([1, 1, 1, DISTANCES]))

    def forward(self, features: Sequence[Any], scale_factor: Any) -> tuple[Any, Any]:
        """Boxes [images, n, 4] as x1, y1, x2, y2 in their pixels, scores [images, classes, n]."""
        found = [self._level(i, x) for i, x in enumerate(features)]
        scores = paddle.concat([s for s, _ in found], axis=2)
        sides = paddle.concat([d for _, d in found], axis=1)
        low, high = sides.split(2, axis=-1)
        boxes = paddle.concat([self.cells - low, self.cells + high], axis=-1) * self.steps
        y, x = scale_factor.split(2, axis=1)
        return boxes / paddle.concat([x, y, x, y], axis=1).unsqueeze(1), scores

    def _level(self, level: int, x: Any) -> tuple[Any, Any]:
        images, mean = x.shape[0], x.mean([2, 3], keepdim=True)
        classes = self.classes[level](self.class_attention[level](x, mean) + x)
        boxes = self.boxes[level](self.box_attention[level](x, mean))
        sides = boxes.reshape([images, 4, DISTANCES, -1]).transpose([0, 3, 1, 2])
        distances = (functional.softmax(sides, axis=-1) * self.distances).sum(axis=-1)
        scores = functional.sigmoid(classes).reshape([images, classes.shape[1], -1])
        return scores, distances


class PPYoloeL(nn.Layer):
    """[images, 3, size, size] and their scale factors [images, 2] (y, x) to boxes and scores."""

    def __init__(self, size: int = 640, classes: int = 80) -> None:
        super().__init__()
        self.stage3 = nn.Sequential(
            _unit(3, 32, 3, 2),
            _unit(32, 32, 3),
            _unit(32, 64, 3),
            BackboneStage(64, 128, 3),
            BackboneStage(128, 256, 6),
        )
        self.stage4, self.stage5 = BackboneStage(256, 512, 6), BackboneStage(512, 1024, 3)
        self.up5 = NeckStage(1024, 768, pooling=True)
        self.lateral5, self.up4 = _unit(768, 384), NeckStage(512 + 384, 384)
        self.lateral4, self.up3 = _unit(384, 192), NeckStage(256 + 192, 192)
        self.down4, self.out4 = _unit(192, 192, 3, 2), NeckStage(384 + 192, 384)
        self.down5, self.out5 = _unit(384, 384, 3, 2), NeckStage(768 + 384, 768)
        self.head = EfficientHead((768, 384, 192), size, classes)

    def forward(self, image: Any, scale_factor: Any) -> tuple[Any, Any]:
        """Boxes [images, n, 4] in pixels of the image, scores [images, classes, n]."""
        c3 = self.stage3(image)
        c4 = self.stage4(c3)
        p5 = self.up5(self.stage5(c4))
        p4 = self.up4(paddle.concat([enlarged(self.lateral5(p5)), c4], axis=1))
        n3 = self.up3(paddle.concat([enlarged(self.lateral4(p4)), c3], axis=1))
        n4 = self.out4(paddle.concat([p4, self.down4(n3)], axis=1))
        n5 = self.out5(paddle.concat([p5, self.down5(n4)], axis=1))
        return self.head([n5, n4, n3], scale_factor)
