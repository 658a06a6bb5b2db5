"""A detector that ends in its best rows, like YOLOv10 and YOLO26: no suppression follows."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from fqbench.zoo.seeded.blocks import columns, corners, in_pixels, pyramid
from fqbench.zoo.seeded.network import Network

CLASSES, BEST = 10, 100


def write(net: Network) -> tuple[str, ...]:
    """Rows [n, 100, 6]: x1, y1, x2, y2 in pixels, score, label."""
    distances, scores = columns(net, pyramid(net), CLASSES)
    boxes = in_pixels(net, net.node("Concat", *corners(net, distances), axis=1))
    rows = net.node("Transpose", net.node("Concat", boxes, scores, axis=1), perm=[0, 2, 1])
    return (_best(net, rows),)


def _best(net: Network, rows: str) -> str:
    """As the authors' export: the best cells first, then the best classes of these."""
    parts, last = net.constant([4, CLASSES], np.int64), net.constant([-1], np.int64)
    boxes, scores = net.nodes("Split", rows, parts, outputs=2, axis=2)
    count = net.constant([BEST], np.int64)
    greatest = net.node("ReduceMax", scores, axes=[-1], keepdims=0)
    _, cells = net.nodes("TopK", greatest, count, outputs=2, axis=1)
    cells = net.node("Unsqueeze", cells, last)
    boxes = _taken(net, boxes, cells)
    scores = _taken(net, scores, cells)
    best, places = net.nodes("TopK", net.reshape(scores, 0, -1), count, outputs=2, axis=1)
    classes = net.constant(CLASSES, np.int64)
    labels = net.node("Cast", net.node("Mod", places, classes), to=TensorProto.FLOAT)
    chosen = net.node("Unsqueeze", net.node("Div", places, classes), last)
    ends = (net.node("Unsqueeze", each, last) for each in (best, labels))
    return net.node("Concat", _taken(net, boxes, chosen), *ends, axis=2)


def _taken(net: Network, rows: str, places: str) -> str:
    """The rows [n, k, values] at ``places`` [n, k, 1]."""
    repeats = net.constant([1, 1, net.shape(rows)[2]], np.int64)
    return net.node("GatherElements", rows, net.node("Tile", places, repeats), axis=1)
