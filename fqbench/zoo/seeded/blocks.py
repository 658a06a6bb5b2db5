"""What several of the networks are made of."""

from __future__ import annotations

import numpy as np

from fqbench.zoo.seeded.network import Array, Network, Values

STRIDES = (8, 16)
"""Pixels that a cell of each grid of the detectors has along both axes."""

BINS = 8
"""Of the distribution of each distance of a box."""


SHARP = 2.0
"""Standard deviation of queries and of keys: scores have its square."""


def attention(net: Network, query: str, key: str, value: str, heads: int) -> str:
    """Attention of rows ``query`` [n, rows, channels] to others, with its four layers.

    A row attends to few others, as in trained networks: the mean of many would be the same whatever
    the image shows.
    """
    channels = net.shape(query)[-1]
    depth = channels // heads

    def split(x: str, perm: list[int], spread: float = 1.0) -> str:
        parted = net.reshape(net.linear(x, channels, Values(spread=spread)), 0, -1, heads, depth)
        return net.node("Transpose", parted, perm=perm)

    q = net.node("Mul", split(query, [0, 2, 1, 3], SHARP), net.constant(depth**-0.5))
    scores = net.node("MatMul", q, split(key, [0, 2, 3, 1], SHARP))
    read = net.node("MatMul", net.node("Softmax", scores, axis=-1), split(value, [0, 2, 1, 3]))
    joined = net.reshape(net.node("Transpose", read, perm=[0, 2, 1, 3]), 0, -1, channels)
    return net.linear(joined, channels)


def unit(net: Network, x: str, outputs: int, kernel: int = 1, stride: int = 1) -> str:
    """A convolution and SiLU."""
    return net.silu(net.conv(x, outputs, kernel, stride))


def c2f(net: Network, x: str, outputs: int) -> str:
    """YOLOv8's block: half of the channels go through a residual pair, all that was seen is
    joined."""
    half = net.constant([outputs // 2] * 2, np.int64)
    kept, passed = net.nodes("Split", unit(net, x, outputs), half, outputs=2, axis=1)
    inner = unit(net, unit(net, passed, outputs // 2, 3), outputs // 2, 3)
    joined = net.node("Concat", kept, passed, net.node("Add", passed, inner), axis=1)
    return unit(net, joined, outputs)


def sppf(net: Network, x: str) -> str:
    """Three poolings in a row beside what they started from, between two units."""
    channels = net.shape(x)[1]
    seen = [unit(net, x, channels // 2)]
    for _ in range(3):
        pooled = net.node("MaxPool", seen[-1], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1])
        seen.append(pooled)
    return unit(net, net.node("Concat", *seen, axis=1), channels)


def pyramid(net: Network) -> tuple[str, str]:
    """Feature maps of the image at ``STRIDES``, the finer one with what the coarser one saw."""
    x = net.image
    for channels in (16, 32, 48):
        x = unit(net, x, channels, 3, 2)
    fine = c2f(net, x, 48)
    coarse = sppf(net, unit(net, fine, 64, 3, 2))
    enlarged = net.node(
        "Resize",
        coarse,
        "",
        net.constant([1, 1, 2, 2]),
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )
    return unit(net, net.node("Concat", enlarged, fine, axis=1), 48), coarse


def columns(net: Network, levels: tuple[str, str], classes: int) -> tuple[str, str]:
    """Distances of each side of a box [n, 4, cells] in cells, and scores [n, classes, cells].

    As YOLOv8's head: a distance is the mean of a distribution over bins (Li et al., "Generalized
    Focal Loss", 2020), of all levels at once.
    """
    joined = [_branches(net, x, classes) for x in levels]
    parts = net.constant([4 * BINS, classes], np.int64)
    rows = net.node("Concat", *joined, axis=2)
    boxes, logits = net.nodes("Split", rows, parts, outputs=2, axis=1)
    bins = net.node("Transpose", net.reshape(boxes, 0, 4, BINS, -1), perm=[0, 2, 1, 3])
    shares = net.node("Softmax", bins, axis=1)
    weight = net.constant(np.arange(BINS).reshape(1, BINS, 1, 1))
    distances = net.node("Conv", shares, weight, kernel_shape=[1, 1])
    return net.reshape(distances, 0, 4, -1), net.node("Sigmoid", logits)


def _branches(net: Network, x: str, classes: int) -> str:
    """Logits of boxes and of classes [n, 4 · bins + classes, cells] of one level.

    Few cells hold something, as in a trained network.
    """
    boxes = net.conv(unit(net, x, 4 * BINS, 3), 4 * BINS, values=Values(spread=2.0))
    scores = net.conv(unit(net, x, 32, 3), classes, values=Values(mean=-3.0, spread=1.5))
    return net.reshape(net.node("Concat", boxes, scores, axis=1), 0, 4 * BINS + classes, -1)


def corners(net: Network, distances: str) -> tuple[str, str]:
    """The upper left and the lower right corner of each box [n, 2, cells], in cells."""
    middles = net.constant(_cells(net.size)[0])
    before, after = net.nodes("Split", distances, net.constant([2, 2], np.int64), outputs=2, axis=1)
    return net.node("Sub", middles, before), net.node("Add", middles, after)


def in_pixels(net: Network, boxes: str) -> str:
    """Boxes in cells [n, 4, cells] in pixels of the image."""
    return net.node("Mul", boxes, net.constant(_cells(net.size)[1]))


def centres(net: Network, distances: str) -> str:
    """Boxes [n, 4, cells] as cx, cy, w, h in pixels."""
    first, last = corners(net, distances)
    middle = net.node("Div", net.node("Add", first, last), net.constant(2.0))
    both = net.node("Concat", middle, net.node("Sub", last, first), axis=1)
    return in_pixels(net, both)


def _cells(size: tuple[int, int]) -> tuple[Array, Array]:
    """Middles x, y [1, 2, cells] of the cells of all grids, and their strides [1, 1, cells]."""
    middles, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride].reshape(2, -1)
        middles.append(np.stack([x, y]) + 0.5)
        strides.append(np.full(x.size, stride))
    return np.concatenate(middles, axis=1)[None], np.concatenate(strides)[None, None]
