"""YOLOv7 (WongKinYiu) at 640x640, deployed: 36.9 M parameters, 104.7 GFLOPs."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn

from fqbench.zoo.networks.units import ConvUnit, enlarged
from fqbench.zoo.networks.yolo_anchors import AnchorHead

ANCHORS = (
    ((12, 16), (19, 36), (40, 28)),
    ((36, 75), (76, 55), (72, 146)),
    ((142, 110), (192, 243), (459, 401)),
)


def _unit(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> ConvUnit:
    return ConvUnit(inputs, outputs, kernel, stride, activation="silu")


class Aggregation(nn.Layer):
    """ELAN: two 1x1 units and four 3x3 in a row; every ``step``-th of these is kept."""

    def __init__(self, inputs: int, entry: int, inner: int, outputs: int, step: int) -> None:
        super().__init__()
        self.step = step
        self.past, self.through = _unit(inputs, entry), _unit(inputs, entry)
        self.inner = nn.LayerList(_unit(entry if i == 0 else inner, inner, 3) for i in range(4))
        self.merge = _unit(2 * entry + 4 // step * inner, outputs)

    def forward(self, x: Any) -> Any:
        """[n, inputs, h, w] to [n, outputs, h, w]."""
        found = [self.past(x), self.through(x)]
        last = found[-1]
        for index, unit in enumerate(self.inner):
            last = unit(last)
            if (index + 1) % self.step == 0:
                found.append(last)
        return self.merge(paddle.concat(found[::-1], axis=1))


class Halving(nn.Layer):
    """Half the height and width, once by pooling and once by a convolution, side by side."""

    def __init__(self, inputs: int, half: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2D(2, stride=2)
        self.pooled = _unit(inputs, half)
        self.strided = nn.Sequential(_unit(inputs, half), _unit(half, half, 3, 2))

    def forward(self, x: Any) -> Any:
        """[n, inputs, h, w] to [n, 2 * half, h / 2, w / 2]."""
        return paddle.concat([self.strided(x), self.pooled(self.pool(x))], axis=1)


class CspPooling(nn.Layer):
    """SPPCSPC: pooling over 5, 9 and 13 pixels in one of two branches."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.before = nn.Sequential(
            _unit(inputs, outputs), _unit(outputs, outputs, 3), _unit(outputs, outputs)
        )
        self.pools = nn.LayerList(nn.MaxPool2D(k, stride=1, padding=k // 2) for k in (5, 9, 13))
        self.after = nn.Sequential(_unit(4 * outputs, outputs), _unit(outputs, outputs, 3))
        self.past = _unit(inputs, outputs)
        self.merge = _unit(2 * outputs, outputs)

    def forward(self, x: Any) -> Any:
        """[n, inputs, h, w] to [n, outputs, h, w]."""
        y = self.before(x)
        y = self.after(paddle.concat([y, *(pool(y) for pool in self.pools)], axis=1))
        return self.merge(paddle.concat([y, self.past(x)], axis=1))


class YoloV7(nn.Layer):
    """[images, 3, size, size] to rows [images, n, 85]."""

    def __init__(self, size: int = 640, classes: int = 80) -> None:
        super().__init__()
        self.stage3 = nn.Sequential(
            _unit(3, 32, 3),
            _unit(32, 64, 3, 2),
            _unit(64, 64, 3),
            _unit(64, 128, 3, 2),
            Aggregation(128, 64, 64, 256, step=2),
            Halving(256, 128),
            Aggregation(256, 128, 128, 512, step=2),
        )
        self.stage4 = nn.Sequential(Halving(512, 256), Aggregation(512, 256, 256, 1024, step=2))
        self.stage5 = nn.Sequential(
            Halving(1024, 512), Aggregation(1024, 256, 256, 1024, step=2), CspPooling(1024, 512)
        )
        self.lateral5, self.side4 = _unit(512, 256), _unit(1024, 256)
        self.up4 = Aggregation(512, 256, 128, 256, step=1)
        self.lateral4, self.side3 = _unit(256, 128), _unit(512, 128)
        self.up3 = Aggregation(256, 128, 64, 128, step=1)
        self.down4 = Halving(128, 128)
        self.out4 = Aggregation(512, 256, 128, 256, step=1)
        self.down5 = Halving(256, 256)
        self.out5 = Aggregation(1024, 512, 256, 512, step=1)
        self.last = nn.LayerList(_unit(c, 2 * c, 3) for c in (128, 256, 512))
        self.head = AnchorHead((256, 512, 1024), ANCHORS, size, classes)

    def forward(self, x: Any) -> Any:
        """Rows of cx, cy, w, h in pixels, objectness, classes."""
        c3 = self.stage3(x)
        c4 = self.stage4(c3)
        p5 = self.stage5(c4)
        p4 = self.up4(paddle.concat([self.side4(c4), enlarged(self.lateral5(p5))], axis=1))
        n3 = self.up3(paddle.concat([self.side3(c3), enlarged(self.lateral4(p4))], axis=1))
        n4 = self.out4(paddle.concat([self.down4(n3), p4], axis=1))
        n5 = self.out5(paddle.concat([self.down5(n4), p5], axis=1))
        return self.head([unit(n) for unit, n in zip(self.last, (n3, n4, n5))])
