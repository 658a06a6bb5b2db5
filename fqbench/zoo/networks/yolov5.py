"""YOLOv5s, release 6.0 (Ultralytics), at 640x640: 7.2 M parameters, 16.5 GFLOPs."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn

from fqbench.zoo.networks.units import ConvUnit, PyramidPooling, enlarged
from fqbench.zoo.networks.yolo_anchors import AnchorHead

ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)


def _unit(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> ConvUnit:
    return ConvUnit(inputs, outputs, kernel, stride, activation="silu")


class Bottleneck(nn.Layer):
    """A 1x1 and a 3x3 unit, with a shortcut in the backbone."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.first, self.second = _unit(channels, channels), _unit(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Any) -> Any:
        """[n, channels, h, w] to the same shape."""
        y = self.second(self.first(x))
        return x + y if self.shortcut else y


class C3(nn.Layer):
    """Cross-stage partial block: half the channels go through ``count`` bottlenecks."""

    def __init__(self, inputs: int, outputs: int, count: int, shortcut: bool = True) -> None:
        super().__init__()
        half = outputs // 2
        self.through, self.past = _unit(inputs, half), _unit(inputs, half)
        self.inner = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(count)))
        self.merge = _unit(outputs, outputs)

    def forward(self, x: Any) -> Any:
        """[n, inputs, h, w] to [n, outputs, h, w]."""
        return self.merge(paddle.concat([self.inner(self.through(x)), self.past(x)], axis=1))


class YoloV5s(nn.Layer):
    """[images, 3, size, size] to rows [images, n, 85]."""

    def __init__(self, size: int = 640, classes: int = 80) -> None:
        super().__init__()
        self.stage3 = nn.Sequential(
            ConvUnit(3, 32, 6, 2, padding=2, activation="silu"),
            _unit(32, 64, 3, 2),
            C3(64, 64, 1),
            _unit(64, 128, 3, 2),
            C3(128, 128, 2),
        )
        self.stage4 = nn.Sequential(_unit(128, 256, 3, 2), C3(256, 256, 3))
        self.stage5 = nn.Sequential(
            _unit(256, 512, 3, 2), C3(512, 512, 1), PyramidPooling(512, "silu")
        )
        self.lateral5 = _unit(512, 256)
        self.up4 = C3(512, 256, 1, shortcut=False)
        self.lateral4 = _unit(256, 128)
        self.up3 = C3(256, 128, 1, shortcut=False)
        self.down4 = _unit(128, 128, 3, 2)
        self.out4 = C3(256, 256, 1, shortcut=False)
        self.down5 = _unit(256, 256, 3, 2)
        self.out5 = C3(512, 512, 1, shortcut=False)
        self.head = AnchorHead((128, 256, 512), ANCHORS, size, classes)

    def forward(self, x: Any) -> Any:
        """Rows of cx, cy, w, h in pixels, objectness, classes."""
        c3 = self.stage3(x)
        c4 = self.stage4(c3)
        p5 = self.lateral5(self.stage5(c4))
        p4 = self.lateral4(self.up4(paddle.concat([enlarged(p5), c4], axis=1)))
        n3 = self.up3(paddle.concat([enlarged(p4), c3], axis=1))
        n4 = self.out4(paddle.concat([self.down4(n3), p4], axis=1))
        n5 = self.out5(paddle.concat([self.down5(n4), p5], axis=1))
        return self.head([n3, n4, n5])
