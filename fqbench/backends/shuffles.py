"""Channel shuffles without their cost: layers write and read channels in the order they lie in.

A shuffle, and the concatenations and splits around it, compute nothing: each channel that a layer
reads behind them is one that a layer wrote before them. So layers write channels with the same
readers side by side, readers join these parts, and the order goes into the weights.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fqbench.backends.moves import (
    Channel,
    Move,
    channels_of,
    joined_or_parted,
    shuffled,
)
from fqbench.graph.graph import Graph, add_constant, attributes, replace_items
from fqbench.quantize.algorithms import Range

ACTIVATIONS = ("Relu", "Clip", "LeakyRelu")
CHANNELWISE = (*ACTIVATIONS, "MaxPool", "AveragePool")
"""Operators that do the same to every channel."""

Order = NDArray[np.intp]


@dataclass(frozen=True)
class ShuffleRegion:
    """Moves that hang together, a shuffle among them, whose channels may lie in any order.

    ``tensors`` are all that they read or write. ``sources`` are written by dense convolutions;
    ``results``, each with its channels as those of sources, are read by layers.
    """

    nodes: frozenset[str]
    tensors: frozenset[str]
    sources: tuple[str, ...]
    results: Mapping[str, tuple[Channel, ...]]


def shuffle_regions(graph: Graph) -> list[ShuffleRegion]:
    """All that shuffles can be taken out of."""
    shuffles = {n.name: move for n in graph.model.graph.node if (move := shuffled(graph, n))}
    if not shuffles:
        return []
    moves = [
        move
        for node in graph.model.graph.node
        if (move := shuffles.get(node.name) or joined_or_parted(graph, node)) is not None
    ]
    return [
        region
        for together in _connected(moves)
        if any(move.nodes[-1] in shuffles for move in together)
        and (region := _region(graph, together)) is not None
    ]


def unify_ranges(graph: Graph, ranges: Mapping[str, Range]) -> Mapping[str, Range]:
    """``ranges`` with one for all tensors of a region: that of all that is written into it.

    So its codes are moved, never rounded again, however they are moved.
    """
    found = dict(ranges)
    for region in shuffle_regions(graph):
        written = [ranges[name] for name in region.sources if name in ranges]
        if written:
            low = min(ends.low for ends in written)
            high = max(ends.high for ends in written)
            shared = Range(low, high, max(ends.amax for ends in written))
            found.update(dict.fromkeys(region.tensors & ranges.keys(), shared))
    return found


def without_shuffles(
    model: onnx.ModelProto, integers: Collection[str]
) -> tuple[onnx.ModelProto, dict[str, Order]]:
    """``model`` without the shuffles among ``integers``, the names of nodes; the same function.

    Also the new order of the output channels of each weight, by its name, that has another.
    """
    graph = Graph(deepcopy(model))
    orders: dict[str, Order] = {}
    removed: set[str] = set()
    instead: dict[str, str] = {}
    added: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for region in shuffle_regions(graph):
        if not region.nodes <= set(integers):
            continue
        removed |= region.nodes
        parts = {name: _parted(graph, region, name, orders) for name in region.sources}
        for source, known in parts.items():
            if len(known) > 1:
                added[graph.producer[source].name].append(_split(graph, source, known))
        for tensor, wanted in region.results.items():
            read = [part for known in parts.values() for part in known if tensor in part.readers]
            if len(read) > 1:
                names = [part.name for part in read]
                joined = helper.make_node("Concat", names, [tensor], f"{tensor}__joined", axis=1)
                added[graph.producer[tensor].name].append(joined)
            else:
                instead[tensor] = read[0].name
            places = {channel: place for place, channel in enumerate(wanted)}
            order = np.array([places[channel] for part in read for channel in part.channels])
            for layer in _takers(graph, tensor) or ():
                _take(graph, layer, order, orders)
    nodes: list[onnx.NodeProto] = []
    for node in graph.model.graph.node:
        node.input[:] = [instead.get(name, name) for name in node.input]
        nodes += [*([] if node.name in removed else [node]), *added[node.name]]
    replace_items(graph.model.graph.node, nodes)
    return graph.model, orders


@dataclass(frozen=True)
class _Part:
    """Channels of a source that the same results hold; ``name``: the tensor of these alone."""

    name: str
    channels: tuple[Channel, ...]
    readers: frozenset[str]


def _parted(
    graph: Graph, region: ShuffleRegion, source: str, orders: dict[str, Order]
) -> list[_Part]:
    """The parts of ``source``, whose layer writes them one after the other from now on."""
    held = {name: set(channels) for name, channels in region.results.items()}

    def readers(channel: int) -> tuple[bool, ...]:
        return tuple((source, channel) in channels for channels in held.values())

    order = sorted(range(channels_of(graph, source)), key=readers)
    writer = _writer(graph, source)
    assert writer is not None
    _write(graph, writer, np.array(order), orders)
    groups = [list(group) for _, group in groupby(order, key=readers)]
    return [
        _Part(
            source if len(groups) == 1 else f"{source}__part_{number}",
            tuple((source, channel) for channel in group),
            frozenset(name for name, read in zip(held, readers(group[0]), strict=True) if read),
        )
        for number, group in enumerate(groups)
    ]


def _split(graph: Graph, source: str, parts: Iterable[_Part]) -> onnx.NodeProto:
    names = [part.name for part in parts]
    sizes = np.array([len(part.channels) for part in parts], np.int64)
    constant = add_constant(graph.model.graph, f"{source}__parts", sizes)
    return helper.make_node("Split", [source, constant], names, f"{source}__parted", axis=1)


def _write(graph: Graph, layer: onnx.NodeProto, order: Order, orders: dict[str, Order]) -> None:
    """Let ``layer`` write its channels in ``order``."""
    orders[layer.input[1]] = order
    for name in layer.input[1:]:
        graph.replace_weight(name, numpy_helper.to_array(graph.weights[name])[order])


def _take(graph: Graph, layer: onnx.NodeProto, order: Order, orders: dict[str, Order]) -> None:
    """Let ``layer`` read its channels in ``order``; of a depthwise one its result has it, too."""
    if graph.is_depthwise(layer):
        _write(graph, layer, order, orders)
    else:
        name = layer.input[1]
        graph.replace_weight(name, numpy_helper.to_array(graph.weights[name])[:, order])


def _connected(moves: Iterable[Move]) -> list[list[Move]]:
    """The moves that share tensors with each other, directly or by others; in their order."""
    groups: list[tuple[set[str], list[Move]]] = []
    for move in moves:
        tensors, together = _tensors(move), [move]
        apart = []
        for known, group in groups:
            if known & tensors:
                tensors, together = tensors | known, group + together
            else:
                apart.append((known, group))
        groups = [*apart, (tensors, together)]
    return [group for _, group in groups]


def _tensors(move: Move) -> set[str]:
    return {*move.written, *(name for whole in move.written.values() for name, _ in whole)}


def _region(graph: Graph, moves: list[Move]) -> ShuffleRegion | None:
    """What ``moves`` are together; None where something needs the channels as they are."""
    origin: dict[str, tuple[Channel, ...]] = {}
    sources: dict[str, None] = {}
    nodes = frozenset(name for move in moves for name in move.nodes)
    for move in moves:
        for name, channels in move.written.items():
            sources.update((read, None) for read, _ in channels if read not in origin)
            origin[name] = tuple(
                origin[read][channel] if read in origin else (read, channel)
                for read, channel in channels
            )
    results = {
        name: channels
        for name, channels in origin.items()
        if name in graph.outputs or any(n.name not in nodes for n in graph.consumers[name])
    }
    inside = all(n.name in nodes for name in sources for n in graph.consumers[name])
    written = all(_writer(graph, name) is not None for name in sources)
    taken = all(_takers(graph, name) is not None for name in results)
    once = all(len(set(channels)) == len(channels) for channels in results.values())
    if not (inside and written and taken and once):
        return None
    tensors = frozenset().union(*map(_tensors, moves))
    return ShuffleRegion(nodes, tensors, tuple(sources), results)


def _writer(graph: Graph, name: str) -> onnx.NodeProto | None:
    """The dense convolution that writes ``name``, alone or with an activation behind it."""
    while name not in graph.outputs:
        node = graph.producer.get(name)
        if node is None or _is_dense(graph, node):
            return node
        if node.op_type not in ACTIVATIONS or len(graph.consumers[node.input[0]]) > 1:
            return None
        name = node.input[0]
    return None


def _takers(graph: Graph, name: str) -> list[onnx.NodeProto] | None:
    """The layers whose weights decide in which order ``name`` is read; None where others do."""
    if name in graph.outputs:
        return None
    found: list[onnx.NodeProto] = []
    for node in graph.consumers[name]:
        if _is_dense(graph, node):
            found.append(node)
            continue
        depthwise = _is_own(graph, node) and graph.is_depthwise(node)
        behind = None
        if depthwise or node.op_type in CHANNELWISE:
            behind = _takers(graph, node.output[0])
        if behind is None:
            return None
        found += [*([node] if depthwise else []), *behind]
    return found


def _is_dense(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a convolution of all channels with weights of its own."""
    return _is_own(graph, node) and attributes(node).get("group", 1) == 1


def _is_own(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a convolution whose constant weights nothing else reads."""
    constants = node.input[1:]
    own = all(name in graph.weights and len(graph.consumers[name]) == 1 for name in constants)
    return bool(node.op_type == "Conv" and own)
