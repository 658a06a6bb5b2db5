"""A vision transformer (Dosovitskiy et al., 2020): patches, a class token, blocks with norms
first."""

from __future__ import annotations

import numpy as np

from fqbench.zoo.seeded.blocks import attention
from fqbench.zoo.seeded.network import Network, Values

PATCH, CHANNELS, HEADS, DEPTH, CLASSES = 8, 96, 3, 2, 100


def write(net: Network) -> tuple[str, ...]:
    """Logits [n, classes]."""
    x = net.tokens(net.conv(net.image, CHANNELS, PATCH, PATCH, pad=0))
    x = _with_class_token(net, x)
    x = net.node("Add", x, net.learned(1, net.shape(x)[1], CHANNELS, spread=0.5))
    for _ in range(DEPTH):
        seen = net.layer_norm(x)
        x = net.node("Add", x, attention(net, seen, seen, seen, HEADS))
        hidden = net.gelu(net.linear(net.layer_norm(x), 4 * CHANNELS))
        x = net.node("Add", x, net.linear(hidden, CHANNELS))
    first = net.node("Gather", net.layer_norm(x), net.constant(0, np.int64), axis=1)
    return (net.linear(first, CLASSES, Values(spread=2.0)),)


def _with_class_token(net: Network, tokens: str) -> str:
    """[n, 1 + tokens, channels]: a row of zeros in front, to which positions add the token."""
    pads = net.constant([0, 1, 0, 0, 0, 0], np.int64)
    return net.node("Pad", tokens, pads)
