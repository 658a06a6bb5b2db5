"""Operators that only hand channels on: shuffles, concatenations, splits and slices of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import onnx
from onnx import numpy_helper

from fqbench.graph.graph import Graph, attributes

SHUFFLING = [0, 2, 1, 3, 4]
"""Axes of [n, groups, channels, h, w] once groups and channels have changed places."""

Channel = tuple[str, int]
"""A tensor, and which of its channels."""


@dataclass(frozen=True)
class Move:
    """Operators (by name) that hand channels on: of each tensor they write, where they are from."""

    nodes: tuple[str, ...]
    written: Mapping[str, tuple[Channel, ...]]


def shuffled(graph: Graph, last: onnx.NodeProto) -> Move | None:
    """The channel shuffle that the reshape ``last`` ends; None where it ends none."""
    transpose = graph.producer.get(last.input[0]) if last.op_type == "Reshape" else None
    first = graph.producer.get(transpose.input[0]) if transpose is not None else None
    if transpose is None or transpose.op_type != "Transpose" or first is None:
        return None
    alone = all(len(graph.consumers[n.output[0]]) == 1 for n in (first, transpose))
    shuffles = first.op_type == "Reshape" and attributes(transpose).get("perm") == SHUFFLING
    whole, split = graph.shape(first.input[0]), graph.shape(first.output[0])
    if not (alone and shuffles) or whole is None or split is None:
        return None
    if len(whole) != 4 or len(split) != 5:
        return None
    same = graph.shape(last.output[0]) == whole
    if not same or split[0] != whole[0] or split[3:] != whole[2:]:
        return None
    order = np.arange(whole[1]).reshape(split[1:3]).T.ravel()
    written = tuple((first.input[0], int(channel)) for channel in order)
    return Move((first.name, transpose.name, last.name), {last.output[0]: written})


def joined_or_parted(graph: Graph, node: onnx.NodeProto) -> Move | None:
    """``node`` as a move of whole channels; None where it is another operator."""
    found = attributes(node)
    if node.op_type == "Concat":
        sizes = [channels_of(graph, name) for name in node.input]
        if found["axis"] not in (1, -3) or not all(sizes):
            return None
        sides = zip(node.input, sizes, strict=True)
        whole = tuple((name, channel) for name, size in sides for channel in range(size))
        return Move((node.name,), {node.output[0]: whole})
    if node.op_type not in ("Split", "Slice"):
        return None
    source = node.input[0]
    ends = _ends(graph, node)
    if ends is None or not channels_of(graph, source):
        return None
    written = {
        name: tuple((source, channel) for channel in range(start, end))
        for name, (start, end) in zip(node.output, ends, strict=True)
    }
    return Move((node.name,), written)


def _ends(graph: Graph, node: onnx.NodeProto) -> list[tuple[int, int]] | None:
    """First channel, and that behind the last, of each result of a Split or Slice of channels."""
    count = channels_of(graph, node.input[0])
    if node.op_type == "Split":
        sizes = [channels_of(graph, name) for name in node.output]
        if attributes(node).get("axis", 0) not in (1, -3) or sum(sizes) != count:
            return None
        behind = list(accumulate(sizes))
        return [(end - size, end) for size, end in zip(sizes, behind, strict=True)]
    if any(name not in graph.weights for name in node.input[1:]) or len(node.input) < 4:
        return None
    values = [
        numpy_helper.to_array(graph.weights[name]).ravel().tolist() for name in node.input[1:]
    ]
    (starts, stops, axes), steps = values[:3], values[3] if len(values) > 3 else [1]
    if axes not in ([1], [-3]) or steps != [1]:
        return None
    first, behind_last, _ = slice(starts[0], stops[0]).indices(count)
    return [(first, behind_last)]


def channels_of(graph: Graph, name: str) -> int:
    """Channels of an image-like tensor; 0 where it is none."""
    shape = graph.shape(name)
    return shape[1] if shape is not None and len(shape) == 4 else 0
