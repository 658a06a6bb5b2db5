"""The two networks of the embedded zoo as Paddle layers: MobileNetV1 and YOLOv5, both narrow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional

ANCHORS = (
    ((10, 15), (13, 19), (16, 24)),
    ((19, 29), (24, 35), (29, 40)),
    ((34, 46), (38, 54), (46, 60)),
)
"""Width, height in pixels of the boxes each of the three scales starts from."""
STRIDES = (8, 16, 32)
"""Pixels between two cells of each scale."""


class DepthwiseConv(nn.Layer):
    """A 3x3 convolution of every channel by itself.

    Paddle's kernel for it makes one small matrix product a channel and image, which is most of
    the time of a training step. So training writes the filters of eight channels on the diagonal
    of one dense filter: the same sums, with an eighth of the calls.
    """

    _TOGETHER = 8

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        start = np.random.default_rng(channels).normal(0, 0.3, (channels, 1, 3, 3))
        start[:, :, 1, 1] += 1
        self.weight = self.create_parameter(
            list(start.shape), default_initializer=nn.initializer.Assign(start.astype(np.float32))
        )
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, h, w] to [n, channels, h / stride, w / stride]."""
        channels, weight = self.weight.shape[0], self.weight
        groups = channels
        if self.training:
            groups = channels // self._TOGETHER
            diagonal = paddle.eye(self._TOGETHER).reshape([1, self._TOGETHER, -1, 1, 1])
            apart = weight.reshape([groups, self._TOGETHER, 1, 3, 3])
            weight = (apart * diagonal).reshape([channels, self._TOGETHER, 3, 3])
        return functional.conv2d(x, weight, stride=self.stride, padding=1, groups=groups)


class NormRelu(nn.Layer):
    """A convolution without a bias, batch norm, ReLU."""

    def __init__(self, conv: nn.Layer, channels: int) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2D(channels)

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] to whatever the convolution makes of it."""
        return functional.relu(self.norm(self.conv(x)))


class MobileNetV1(nn.Layer):
    """Howard et al. 2017, table 1: thirteen depthwise separable blocks after one convolution.

    ``channels`` are the stem's and then each block's outputs; a block whose number is in
    ``halve`` has stride 2.
    """

    def __init__(self, classes: int, channels: Sequence[int], halve: Sequence[int]) -> None:
        super().__init__()
        stem = nn.Conv2D(3, channels[0], 3, stride=2, padding=1, bias_attr=False)
        layers = [NormRelu(stem, channels[0])]
        for block, (inputs, outputs) in enumerate(pairwise(channels), start=1):
            stride = 2 if block in halve else 1
            layers.append(NormRelu(DepthwiseConv(inputs, stride), inputs))
            pointwise = nn.Conv2D(inputs, outputs, 1, bias_attr=False)
            if inputs == outputs:
                start = 0.3 * pointwise.weight.numpy() + np.eye(inputs)[..., None, None]
                pointwise.weight.set_value(start.astype(np.float32))
            layers.append(NormRelu(pointwise, outputs))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.classify = nn.Linear(channels[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """[n, 3, h, w] to logits [n, classes]."""
        return self.classify(paddle.flatten(self.pool(self.features(x)), 1))


class ConvNormSilu(nn.Layer):
    """Convolution, batch norm, SiLU written as x * sigmoid(x)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int | None = None
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2D(inputs, outputs, kernel, stride, padding, bias_attr=False)
        self.norm = nn.BatchNorm2D(outputs, momentum=0.97, epsilon=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] to [n, outputs, h / stride, w / stride]."""
        y = self.norm(self.conv(x))
        return y * functional.sigmoid(y)


class Bottleneck(nn.Layer):
    """A 1x1 and a 3x3 convolution, with or without a way around them."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvNormSilu(channels, channels, 1), ConvNormSilu(channels, channels, 3)
        )
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, h, w] to the same shape."""
        return x + self.body(x) if self.shortcut else self.body(x)


class C3(nn.Layer):
    """A cross-stage-partial block: half the channels pass ``depth`` bottlenecks, half pass none."""

    def __init__(self, inputs: int, outputs: int, depth: int = 1, shortcut: bool = True) -> None:
        super().__init__()
        hidden = outputs // 2
        self.enter = ConvNormSilu(inputs, hidden, 1)
        self.around = ConvNormSilu(inputs, hidden, 1)
        self.blocks = nn.Sequential(*(Bottleneck(hidden, shortcut) for _ in range(depth)))
        self.leave = ConvNormSilu(2 * hidden, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] to [n, outputs, h, w]."""
        return self.leave(paddle.concat([self.blocks(self.enter(x)), self.around(x)], axis=1))


class SPPF(nn.Layer):
    """Three 5x5 max pools one after another, all four stages concatenated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = ConvNormSilu(channels, channels // 2, 1)
        self.leave = ConvNormSilu(2 * channels, channels, 1)
        self.pool = nn.MaxPool2D(5, stride=1, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, h, w] to the same shape."""
        stages = [self.enter(x)]
        for _ in range(3):
            stages.append(self.pool(stages[-1]))
        return self.leave(paddle.concat(stages, axis=1))


class YoloV5(nn.Layer):
    """The v6 architecture: CSP backbone with SPPF, PANet neck, three anchor heads.

    ``widths`` are the channels at strides 2, 4, 8, 16 and 32; ``depths`` the bottlenecks of the
    backbone's blocks at strides 4, 8, 16 and 32.
    """

    def __init__(self, classes: int, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        w2, w4, w8, w16, w32 = widths
        self.stem = nn.Sequential(
            ConvNormSilu(3, w2, 6, 2, padding=2), ConvNormSilu(w2, w4, 3, 2), C3(w4, w4, depths[0])
        )
        self.stage8 = nn.Sequential(ConvNormSilu(w4, w8, 3, 2), C3(w8, w8, depths[1]))
        self.stage16 = nn.Sequential(ConvNormSilu(w8, w16, 3, 2), C3(w16, w16, depths[2]))
        self.stage32 = nn.Sequential(
            ConvNormSilu(w16, w32, 3, 2), C3(w32, w32, depths[3]), SPPF(w32)
        )
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.lateral32 = ConvNormSilu(w32, w16, 1)
        self.merge16 = C3(2 * w16, w16, shortcut=False)
        self.lateral16 = ConvNormSilu(w16, w8, 1)
        self.merge8 = C3(2 * w8, w8, shortcut=False)
        self.down8 = ConvNormSilu(w8, w8, 3, 2)
        self.out16 = C3(2 * w8, w16, shortcut=False)
        self.down16 = ConvNormSilu(w16, w16, 3, 2)
        self.out32 = C3(2 * w16, w32, shortcut=False)
        self.values = 5 + classes
        self.heads = nn.LayerList([nn.Conv2D(w, 3 * self.values, 1) for w in (w8, w16, w32)])
        self._start_from_rare_objects(classes)

    def _start_from_rare_objects(self, classes: int) -> None:
        """Bias the heads to what chance would say: few cells hold an object, classes are even."""
        for head in self.heads:
            bias = np.zeros((3, self.values), np.float32)
            bias[:, 4] = -4.5
            bias[:, 5:] = -np.log(classes - 1)
            head.bias.set_value(bias.reshape(-1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """[n, 3, h, w] to the raw heads [n, 3 * (5 + classes), h / stride, w / stride]."""
        p8 = self.stage8(self.stem(x))
        p16 = self.stage16(p8)
        top = self.lateral32(self.stage32(p16))
        middle = self.lateral16(self.merge16(paddle.concat([self.up(top), p16], axis=1)))
        n8 = self.merge8(paddle.concat([self.up(middle), p8], axis=1))
        n16 = self.out16(paddle.concat([self.down8(n8), middle], axis=1))
        n32 = self.out32(paddle.concat([self.down16(n16), top], axis=1))
        return [self.heads[0](n8), self.heads[1](n16), self.heads[2](n32)]


class DecodedYoloV5(nn.Layer):
    """``YoloV5`` with its heads turned into boxes, for one image of ``size`` pixels a side."""

    def __init__(self, network: YoloV5, size: int) -> None:
        super().__init__()
        self.network = network
        for level, (stride, anchors) in enumerate(zip(STRIDES, ANCHORS, strict=True)):
            cells = np.arange(size // stride, dtype=np.float32) * stride
            x, y = np.meshgrid(cells, cells)
            grid = np.stack([x, y], axis=-1)[None, None] - 0.5 * stride
            largest = np.array(anchors, np.float32).reshape(1, 3, 1, 1, 2) * 4
            self.register_buffer(f"grid{level}", paddle.to_tensor(grid))
            self.register_buffer(f"largest{level}", paddle.to_tensor(largest))

    def forward(self, x: Tensor) -> Tensor:
        """[1, 3, size, size] to [1, n, 5 + classes]: cx, cy, w, h in pixels, objectness, classes.

        With s = sigmoid(head), as YOLOv5 defines it: the centre is (2 s - 0.5 + cell) * stride,
        the size (2 s)^2 * anchor.
        """
        rows = []
        values = self.network.values
        for level, head in enumerate(self.network(x)):
            side = head.shape[-1]
            s = functional.sigmoid(
                head.reshape([1, 3, values, side, side]).transpose([0, 1, 3, 4, 2])
            )
            grid, largest = getattr(self, f"grid{level}"), getattr(self, f"largest{level}")
            centre = s[..., 0:2] * (2.0 * STRIDES[level]) + grid
            extent = s[..., 2:4] * s[..., 2:4] * largest
            decoded = paddle.concat([centre, extent, s[..., 4:]], axis=-1)
            rows.append(decoded.reshape([1, 3 * side * side, values]))
        return paddle.concat(rows, axis=1)
