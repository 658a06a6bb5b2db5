"""MobileNetV1 (PaddleClas) at 224x224: 4.2 M parameters, 1.1 GFLOPs."""

from __future__ import annotations

from typing import Any

from paddle import nn
from paddle.nn import functional

from fqbench.zoo.networks.units import ConvUnit

BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5)
"""Channels after each pair of a depthwise and a 1x1 convolution, stride of the former."""
LAST_BLOCKS = ((1024, 2), (1024, 1))


class MobileNetV1(nn.Layer):
    """[n, 3, 224, 224] to probabilities [n, classes]."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        layers: list[Any] = [ConvUnit(3, 32, 3, 2, activation="relu")]
        inputs = 32
        for outputs, stride in (*BLOCKS, *LAST_BLOCKS):
            layers += [
                ConvUnit(inputs, inputs, 3, stride, groups=inputs, activation="relu"),
                ConvUnit(inputs, outputs, activation="relu"),
            ]
            inputs = outputs
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2D(1), nn.Flatten())
        self.classifier = nn.Linear(inputs, classes)

    def forward(self, x: Any) -> Any:
        """Probabilities, as PaddleClas exports them."""
        return functional.softmax(self.classifier(self.features(x)), axis=-1)
