"""Enlarging by whole factors, each value repeated, as copies of whole places.

A place is all channels of a pixel, which lie side by side where convolutions run in integers. The
kernel of Resize looks up each value there and takes ten times as long.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from fqbench.graph.graph import Graph, add_constant, attributes

REPEATING = {
    (b"asymmetric", b"floor"),
    (b"half_pixel", b"round_prefer_floor"),
    (b"half_pixel", b"round_prefer_ceil"),
    (b"pytorch_half_pixel", b"round_prefer_floor"),
    (b"pytorch_half_pixel", b"round_prefer_ceil"),
}
"""How coordinates are mapped and rounded where enlarging by whole factors repeats each value."""


def nearest_upsample_as_expand(graph: Graph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The operators that stand for the Resize ``node``; itself where it is no such enlarging.

    Their constants are added to the graph.
    """
    factors = _factors(graph, node)
    before = graph.shape(node.input[0])
    if factors is None or before is None:
        return [node]
    _, channels, height, width = before
    down, across = factors
    last, rows, copies, whole = (
        f"{node.name}__{part}" for part in ("channels_last", "rows", "copies", "whole")
    )
    shapes = {
        rows: [height, 1, width, 1, channels],
        copies: [height, down, width, across, channels],
        whole: [1, height * down, width * across, channels],
    }
    for name, shape in shapes.items():
        add_constant(graph.model.graph, f"{name}_shape", np.array(shape, np.int64))
    return [
        helper.make_node("Transpose", node.input[:1], [last], last, perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", [last, f"{rows}_shape"], [rows], rows),
        helper.make_node("Expand", [rows, f"{copies}_shape"], [copies], copies),
        helper.make_node("Reshape", [copies, f"{whole}_shape"], [whole], whole),
        helper.make_node("Transpose", [whole], node.output, node.name, perm=[0, 3, 1, 2]),
    ]


def _factors(graph: Graph, node: onnx.NodeProto) -> tuple[int, int] | None:
    """By how much ``node`` enlarges height and width; None where it does anything else."""
    known = attributes(node)
    mapping = known.get("coordinate_transformation_mode", b"half_pixel")
    rounding = known.get("nearest_mode", b"round_prefer_floor")
    before, after = graph.shape(node.input[0]), graph.shape(node.output[0])
    if (
        known.get("mode", b"nearest") != b"nearest"
        or (mapping, rounding) not in REPEATING
        or before is None
        or after is None
        or len(before) != 4
        or before[0] != 1
        or before[:2] != after[:2]
        or any(big % small for small, big in zip(before, after, strict=True))
    ):
        return None
    return after[2] // before[2], after[3] // before[3]
