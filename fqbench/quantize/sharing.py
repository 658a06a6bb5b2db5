"""Which tensors a runtime with one scale per tensor holds in the same scale.

Which operators carry a scale depends on the runtime. Paddle's passes carry one through those that
only move, choose or average values, both ways, and give the parts of a concatenation that of its
result. What is written here is what they make of it, so that none of them finds two scales for one
tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

import onnx

from fqbench.graph.graph import ACTIVATIONS_THAT_FUSE, Graph
from fqbench.quantize.algorithms import Range
from fqbench.quantize.record import Quantization

Tied = Callable[[Graph, onnx.NodeProto], list[str]]
"""The tensors that a node holds in one scale; empty where it computes."""

SAME_SCALE = (
    "MaxPool",
    "Reshape",
    "Transpose",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Expand",
    "Slice",
    "Split",
    "Resize",
    "SpaceToDepth",
)
"""Operators that only move or choose values: their result keeps the input's scale."""

CARRIES_SCALE = ("MaxPool", "AveragePool", "GlobalAveragePool", "Resize", "Slice")


AVERAGED = "it reads an average, which would be rounded in the scale of what was averaged"


def rounded_inputs(
    graph: Graph, layers: Iterable[onnx.NodeProto], record: Quantization
) -> dict[str, str]:
    """Of ``layers`` those that run in INT8, by name, and the tensor that each reads.

    Those that read an average stay in float, see ``averaged``.
    """
    layers = list(layers)
    left = averaged(graph, layers)
    return {
        node.name: node.input[0]
        for node in layers
        if node.name not in record.float_layers
        and node.input[0] in record.ranges
        and node.name not in left
    }


def averaged(graph: Graph, layers: Iterable[onnx.NodeProto]) -> dict[str, str]:
    """Those of ``layers``, by name, that follow a global average, and why they stay in float.

    They compute next to nothing, and what they read would be rounded many times too coarsely.
    """
    found = {}
    for node in layers:
        producer = graph.producer.get(node.input[0])
        if producer is not None and producer.op_type == "GlobalAveragePool":
            found[node.name] = AVERAGED
    return found


def shared_ranges(
    graph: Graph, ranges: Mapping[str, Range], read: Collection[str]
) -> dict[str, Range]:
    """``ranges`` of the tensors ``read`` by quantized layers, as the runtime rounds these.

    The amax is the largest of all that share a scale: so a concatenation is rounded as finely as
    its range allows. What is not the activation of a convolution by itself has signed codes, even
    where it is never negative.
    """
    group = shared_scale_groups(graph, read, _tied)
    found = {}
    for name in read:
        amax = max(ranges[tied].amax for tied in group[name] if tied in read)
        low = ranges[name].low if _is_activation(graph, name) else min(ranges[name].low, -amax)
        found[name] = replace(ranges[name], low=low, amax=amax)
    return found


def shared_scale_groups(graph: Graph, read: Collection[str], tied: Tied) -> dict[str, set[str]]:
    """All tensors that share a scale with each, ``read`` and what it is tied to.

    A concatenation ties its parts where something reads the whole in a scale.
    """
    group = {name: {name} for name in read}
    changed = True
    while changed:
        changed = False
        for node in reversed(graph.model.graph.node):
            names = tied(graph, node)
            if not names:
                continue
            known = node.output[:1] if node.op_type == "Concat" else names
            merged = set(names).union(*(group.get(name, ()) for name in names))
            if any(name in group for name in known) and group.get(names[0]) != merged:
                group.update(dict.fromkeys(merged, merged))
                changed = True
    return group


def keeps_scale(node: onnx.NodeProto) -> bool:
    """Whether the result of ``node`` holds values of its input only."""
    if node.op_type == "Resize":
        mode = next((a.s for a in node.attribute if a.name == "mode"), b"nearest")
        return bool(mode == b"nearest")
    return node.op_type in SAME_SCALE


def _is_activation(graph: Graph, name: str) -> bool:
    """Whether ``name`` is what an activation makes of a convolution's result."""
    node = graph.producer.get(name)
    if node is None or node.op_type not in ACTIVATIONS_THAT_FUSE:
        return False
    producer = graph.producer.get(node.input[0])
    return producer is not None and producer.op_type == "Conv"


def _tied(graph: Graph, node: onnx.NodeProto) -> list[str]:
    """The tensors that ``node`` holds in one scale; empty where it computes."""
    if node.op_type == "Concat":
        return [name for name in (*node.input, *node.output) if name not in graph.weights]
    if node.op_type in CARRIES_SCALE and (node.op_type != "Resize" or keeps_scale(node)):
        return [node.input[0], node.output[0]]
    return []
