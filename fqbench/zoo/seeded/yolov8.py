"""A detector like YOLOv8: one column a cell, of a box and its classes."""

from __future__ import annotations

from fqbench.zoo.seeded.blocks import centres, columns, pyramid
from fqbench.zoo.seeded.network import Network

CLASSES = 8


def write(net: Network) -> tuple[str, ...]:
    """[n, 4 + classes, cells]: cx, cy, w, h in pixels, scores."""
    distances, scores = columns(net, pyramid(net), CLASSES)
    boxes = centres(net, distances)
    return (net.node("Concat", boxes, scores, axis=1),)
