"""As YOLOv8 with masks: each cell has factors of prototypes, too."""

from __future__ import annotations

from fqbench.zoo.seeded.blocks import centres, columns, pyramid, unit
from fqbench.zoo.seeded.network import Network

CLASSES, PROTOTYPES = 10, 8


def write(net: Network) -> tuple[str, ...]:
    """[n, 4 + classes + prototypes, cells], and prototypes [n, prototypes, h / 4, w / 4]."""
    levels = pyramid(net)
    distances, scores = columns(net, levels, CLASSES)
    boxes = centres(net, distances)
    factors = net.node("Concat", *(_factors(net, x) for x in levels), axis=2)
    enlarged = net.conv_transpose(unit(net, levels[0], 32, 3), 32, 2)
    prototypes = unit(net, unit(net, enlarged, 32, 3), PROTOTYPES)
    return net.node("Concat", boxes, scores, factors, axis=1), prototypes


def _factors(net: Network, x: str) -> str:
    """[n, prototypes, cells] of one level."""
    return net.reshape(net.conv(unit(net, x, 16, 3), PROTOTYPES), 0, PROTOTYPES, -1)
