"""Blocks that several networks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional

Activation = Callable[[Any], Any]

ACTIVATIONS: dict[str, Activation] = {
    "identity": lambda x: x,
    "relu": functional.relu,
    "silu": functional.silu,
    "swish": functional.swish,
}


class ConvUnit(nn.Layer):
    """A convolution with its batch norm folded in, then its activation.

    Where ``statistics`` is set, a batch norm in training mode is put between the two and folded
    in at once: see ``fqbench.zoo.synthetic``.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        activation: str,
        groups: int = 1,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2D(inputs, outputs, kernel, stride, padding, groups=groups)
        self.activation = ACTIVATIONS[activation]
        self.statistics: Callable[[Any, Any], Any] | None = None

    def forward(self, x: Any) -> Any:
        """The activation of [n, outputs, h, w]."""
        if self.statistics is not None:
            return self.activation(self.statistics(self.conv, x))
        return self.activation(self.conv(x))


class PyramidPooling(nn.Layer):
    """SPPF: three poolings in a row beside what they started from, between two 1x1 units."""

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        self.reduce = ConvUnit(channels, channels // 2, activation=activation)
        self.pool = nn.MaxPool2D(5, stride=1, padding=2)
        self.merge = ConvUnit(channels * 2, channels, activation=activation)

    def forward(self, x: Any) -> Any:
        """[n, channels, h, w] to the same shape."""
        found = [self.reduce(x)]
        for _ in range(3):
            found.append(self.pool(found[-1]))
        return self.merge(paddle.concat(found, axis=1))


def enlarged(x: Any) -> Any:
    """Twice the height and width, nearest neighbour."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def grid(height: int, width: int) -> Any:
    """x, y of each cell, [1, 1, height, width, 2]."""
    y, x = paddle.meshgrid(paddle.arange(height), paddle.arange(width))
    return paddle.stack([x, y], axis=-1).reshape([1, 1, height, width, 2]).astype("float32")
