"""A reader of one line, like PP-OCR's: depthwise convolutions, attention along the line, CTC."""

from __future__ import annotations

from fqbench.tasks.text_recognition.decode import METADATA
from fqbench.zoo.seeded.blocks import attention
from fqbench.zoo.seeded.network import Network, Values

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
CHANNELS, HEADS = 64, 2


def write(net: Network) -> tuple[str, ...]:
    """Probabilities [n, w / 4, letters + 2] of none, each letter, and a space; w is open."""
    net.notes[METADATA] = "\n".join(LETTERS)
    net.input(net.image, net.values(net.image), free={3: "width"})
    x = net.node("HardSwish", net.conv(net.image, 16, 3, 2))
    for channels, stride in ((32, (1, 1)), (48, (2, 2)), (CHANNELS, (2, 1))):
        x = _separable(net, x, channels, stride)
    height = net.shape(x)[2]
    x = net.node("AveragePool", x, kernel_shape=[height, 1], strides=[height, 1])
    x = net.tokens(x)
    seen = net.layer_norm(x)
    x = net.node("Add", x, attention(net, seen, seen, seen, HEADS))
    logits = net.linear(net.layer_norm(x), len(LETTERS) + 2, Values(spread=3.0))
    return (net.node("Softmax", logits, axis=2),)


def _separable(net: Network, x: str, channels: int, stride: tuple[int, int]) -> str:
    """A convolution of each channel, then one of places."""
    inputs = net.shape(x)[1]
    x = net.node("HardSwish", net.conv(x, inputs, 3, stride, groups=inputs))
    return net.node("HardSwish", net.conv(x, channels))
