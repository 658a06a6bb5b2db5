"""A DETR (Carion et al., 2020) with the ends of RT-DETR's exports: labels, boxes, scores."""

from __future__ import annotations

import numpy as np

from fqbench.zoo.seeded.blocks import attention
from fqbench.zoo.seeded.network import Network, Values

CHANNELS, HEADS, QUERIES, CLASSES = 64, 4, 20, 10
SIZES = "orig_target_sizes"
"""The second input: width and height of the image as it was, int64."""


def write(net: Network) -> tuple[str, ...]:
    """Labels [n, queries], boxes [n, queries, 4] x1, y1, x2, y2 in pixels of the image, scores."""
    memory, keys = _encoded(net)
    # Of the first decoder, what queries see of each other is constant, and folded by exporters.
    places = net.learned(1, QUERIES, CHANNELS)
    seen = attention(net, places, keys, memory, HEADS)
    queries = net.layer_norm(net.node("Add", seen, net.learned(1, QUERIES, CHANNELS)))
    queries = net.layer_norm(net.node("Add", queries, _mlp(net, queries)))
    logits = net.linear(queries, CLASSES, Values(mean=-2.0, spread=2.0))
    hidden = net.relu(net.linear(net.relu(net.linear(queries, CHANNELS)), CHANNELS))
    return _ends(net, logits, net.node("Sigmoid", net.linear(hidden, 4, Values(spread=2.0))))


def _encoded(net: Network) -> tuple[str, str]:
    """What the encoder makes of the image's places [n, places, channels], and the same with their
    positions."""
    x = net.image
    for channels in (16, 32, 48, 64):
        x = net.relu(net.conv(x, channels, 3, 2))
    x = net.tokens(net.conv(x, CHANNELS))
    positions = net.learned(1, net.shape(x)[1], CHANNELS)
    placed = net.node("Add", x, positions)
    x = net.layer_norm(net.node("Add", x, attention(net, placed, placed, x, HEADS)))
    x = net.layer_norm(net.node("Add", x, _mlp(net, x)))
    return x, net.node("Add", x, positions)


def _mlp(net: Network, x: str) -> str:
    return net.linear(net.relu(net.linear(x, 2 * CHANNELS)), CHANNELS)


def _ends(net: Network, logits: str, boxes: str) -> tuple[str, ...]:
    """The best pairs of a query and a class, as RT-DETR's deployed postprocessor takes them."""
    flat = net.reshape(net.node("Sigmoid", logits), 0, -1)
    count, classes = net.constant([QUERIES], np.int64), net.constant(CLASSES, np.int64)
    scores, places = net.nodes("TopK", flat, count, outputs=2, axis=1)
    labels = net.node("Mod", places, classes)
    last = net.constant([-1], np.int64)
    queries = net.node("Unsqueeze", net.node("Div", places, classes), last)
    repeated = net.node("Tile", queries, net.constant([1, 1, 4], np.int64))
    taken = net.node("GatherElements", _in_pixels(net, boxes), repeated, axis=1)
    return labels, taken, scores


def _in_pixels(net: Network, boxes: str) -> str:
    """cx, cy, w, h as parts of the image to corners in its pixels."""
    halves = net.constant([2, 2], np.int64)
    middle, size = net.nodes("Split", boxes, halves, outputs=2, axis=2)
    half = net.node("Mul", size, net.constant(0.5))
    both = (net.node(kind, middle, half) for kind in ("Sub", "Add"))
    corners = net.node("Concat", *both, axis=2)
    images = len(net.values(net.image))
    sizes = net.input(SIZES, np.tile(np.array([640, 480]), (images, 1)))
    scale = net.node("Cast", net.node("Tile", sizes, net.constant([1, 2], np.int64)), to=1)
    return net.node("Mul", corners, net.node("Unsqueeze", scale, net.constant([1], np.int64)))
