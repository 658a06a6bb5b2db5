"""Channel shuffles in their one form, however they were written.

ShuffleNetV2's own code parts channels in even and odd ones: a Reshape to pairs, a Transpose, and a
Gather for each side. That is a shuffle and a Split, which optimizers and lowerings know.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.helper import make_node
from onnx.numpy_helper import to_array

from fqbench.graph.graph import Graph, add_constant, attributes, replace_items

Places = NDArray[np.int64]
"""Of each element of a tensor its place in another one, counted through that one's axes."""

SHUFFLING = [0, 2, 1, 3, 4]


def gathers_as_shuffles(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write each channel shuffle whose parts Gathers take as one, and a Split, in place.

    The shapes of ``model`` must be known; where sizes are free, nothing is written.
    """
    graph = Graph(onnx.shape_inference.infer_shapes(model))
    written: dict[str, list[onnx.NodeProto]] = {}
    removed = set[str]()
    for first in graph.model.graph.node:
        parts = _parts(graph, first)
        groups = None if parts is None else _groups(parts)
        if parts is not None and groups is not None:
            removed |= _between(graph, first)
            written[first.output[0]] = _shuffle(graph, model.graph, first, groups, list(parts))
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.output[0] in written:
            nodes += written[node.output[0]]
        elif removed.isdisjoint(node.output):
            nodes.append(node)
    replace_items(model.graph.node, nodes)
    return model


def _parts(graph: Graph, first: onnx.NodeProto) -> Mapping[str, list[int]] | None:
    """What whole channels each Gather behind the Reshape ``first`` of an image takes, in order.

    None where something else comes of it, or no Gather is there.
    """
    shape = graph.shape(first.input[0]) if first.op_type == "Reshape" else None
    parted = graph.shape(first.output[0]) if shape is not None and len(shape) == 4 else None
    if shape is None or parted is None or shape[0] != 1:
        return None
    found: dict[str, list[int]] = {}
    pending = [(first.output[0], np.arange(np.prod(shape)).reshape(parted))]
    while pending:
        name, places = pending.pop()
        if name in graph.outputs or not graph.consumers[name]:
            return None
        for node in graph.consumers[name]:
            moved = _moved(graph, node, places)
            if moved is None:
                return None
            if node.op_type != "Gather":
                pending.append((node.output[0], moved))
                continue
            channels = _whole_channels(moved, shape)
            if channels is None:
                return None
            found[node.output[0]] = channels
    return dict(sorted(found.items(), key=lambda part: part[1])) or None


def _moved(graph: Graph, node: onnx.NodeProto, places: Places) -> Places | None:
    """``places`` as ``node`` moves them; None where it is no operator of a shuffle."""
    given = attributes(node)
    if node.op_type == "Transpose":
        return places.transpose(given["perm"])
    if node.op_type == "Reshape":
        shape = graph.shape(node.output[0])
        return None if shape is None else places.reshape(shape)
    if node.op_type == "Gather" and node.input[1] in graph.weights:
        index = to_array(graph.weights[node.input[1]])
        taken: Places = np.take(places, index, axis=given.get("axis", 0))
        return taken
    return None


def _whole_channels(places: Places, shape: tuple[int, ...]) -> list[int] | None:
    """Which channels of an image of ``shape`` these ``places`` are; None where they are others."""
    if places.ndim != 4 or places.shape[0] != 1 or places.shape[2:] != shape[2:]:
        return None
    area = shape[2] * shape[3]
    channels = places[0, :, 0, 0] // area
    whole = np.arange(np.prod(shape)).reshape(shape)[:, channels]
    return [int(channel) for channel in channels] if np.array_equal(places, whole) else None


def _groups(parts: Mapping[str, list[int]]) -> int | None:
    """Of how many groups ``parts``, of equal size, are the shuffle; None where they are none."""
    order = [channel for channels in parts.values() for channel in channels]
    if len({len(channels) for channels in parts.values()}) > 1 or len(parts) < 2:
        return None
    channels = np.arange(len(order))
    for groups in range(2, len(order) // 2 + 1):
        if len(order) % groups == 0 and order == channels.reshape(groups, -1).T.ravel().tolist():
            return groups
    return None


def _between(graph: Graph, first: onnx.NodeProto) -> set[str]:
    """All tensors that come of ``first`` up to its Gathers, these included."""
    found, pending = set[str](), [first.output[0]]
    while pending:
        name = pending.pop()
        found.add(name)
        for node in graph.consumers[name]:
            if node.op_type == "Gather":
                found.add(node.output[0])
            else:
                pending.append(node.output[0])
    return found


def _shuffle(
    known: Graph, graph: onnx.GraphProto, first: onnx.NodeProto, groups: int, parts: list[str]
) -> list[onnx.NodeProto]:
    """The shuffle of what ``first`` reads, and the Split of it into ``parts``."""
    source, name = first.input[0], first.output[0]
    batch, channels, *area = known.shape(source) or ()
    shapes = {
        f"{name}_groups": [batch, groups, channels // groups, *area],
        f"{name}_whole": [batch, channels, *area],
        f"{name}_sizes": [channels // len(parts)] * len(parts),
    }
    # Under names of their own: that of ``first`` has another shape, which the graph may state.
    split, whole, sizes = (
        add_constant(graph, key, np.array(value, np.int64)) for key, value in shapes.items()
    )
    grouped, turned, shuffled = f"{name}_grouped", f"{name}_turned", f"{name}_shuffled"
    return [
        make_node("Reshape", [source, split], [grouped]),
        make_node("Transpose", [grouped], [turned], perm=SHUFFLING),
        make_node("Reshape", [turned, whole], [shuffled]),
        make_node("Split", [shuffled, sizes], parts, axis=1),
    ]
