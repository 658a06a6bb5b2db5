"""ResNet50_vd (PaddleClas) at 224x224: 25.6 M parameters, 8.67 GFLOPs."""

from __future__ import annotations

from typing import Any

from paddle import nn
from paddle.nn import functional

from fqbench.zoo.networks.units import ConvUnit

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Channels of the 3x3 convolutions, and how many blocks."""
EXPANSION = 4


class Bottleneck(nn.Layer):
    """1x1, 3x3 (which takes the stride), 1x1; the shortcut is pooled before its 1x1."""

    def __init__(self, inputs: int, channels: int, stride: int, first: bool) -> None:
        super().__init__()
        outputs = EXPANSION * channels
        self.main = nn.Sequential(
            ConvUnit(inputs, channels, activation="relu"),
            ConvUnit(channels, channels, 3, stride, activation="relu"),
            ConvUnit(channels, outputs, activation="identity"),
        )
        pool = [nn.AvgPool2D(2, stride=2, ceil_mode=True)] if stride == 2 else []
        unit = [ConvUnit(inputs, outputs, activation="identity")] if first else []
        self.shortcut = nn.Sequential(*pool, *unit)

    def forward(self, x: Any) -> Any:
        """[n, inputs, h, w] to [n, outputs, h / stride, w / stride]."""
        return functional.relu(self.main(x) + self.shortcut(x))


class ResNet50vd(nn.Layer):
    """[n, 3, 224, 224] to probabilities [n, classes]."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        layers: list[Any] = [
            ConvUnit(3, 32, 3, 2, activation="relu"),
            ConvUnit(32, 32, 3, activation="relu"),
            ConvUnit(32, 64, 3, activation="relu"),
            nn.MaxPool2D(3, stride=2, padding=1),
        ]
        inputs = 64
        for stage, (channels, count) in enumerate(STAGES):
            for block in range(count):
                stride = 2 if block == 0 and stage > 0 else 1
                layers.append(Bottleneck(inputs, channels, stride, first=block == 0))
                inputs = EXPANSION * channels
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2D(1), nn.Flatten())
        self.classifier = nn.Linear(inputs, classes)

    def forward(self, x: Any) -> Any:
        """Probabilities, as PaddleClas exports them."""
        return functional.softmax(self.classifier(self.features(x)), axis=-1)
