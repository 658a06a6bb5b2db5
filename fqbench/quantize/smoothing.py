"""Channels of what layers read evened out, so that one scale for all of them loses less.

Xiao et al. 2023, SmoothQuant (arXiv:2211.10438): channels can be divided by any factors by which
the weights of all layers that read them are multiplied: float computes the same, and rounding does
not. A LayerNormalization ends in a gain and an offset of each channel, which take the factors for
nothing. Others, as behind a GELU, take a product more, where that is worth it: of a ViT-Ti/16 one
channel behind the eighth GELU reaches 215, the typical one 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fqbench.graph.executor import Feed, InstrumentedModel
from fqbench.graph.graph import Graph, add_constant, attributes, drop_unread, replace_items
from fqbench.quantize.affine import INT8_MAX, UINT8_LEVELS
from fqbench.quantize.algorithms import usual_amax

Values = NDArray[np.float64]

Weight = NDArray[np.float64]
"""What a layer multiplies channels by: [groups, outputs, channels, places]."""

LARGEST = 2.0**10
"""The largest factor either way: float32 should lose nothing."""

POWERS = (0.0, 0.25, 0.5, 0.75)
"""Powers of a channel's largest activation and of its largest weight that are tried in its factor;
0 of both leaves the channels as they are."""

WORTH_A_PRODUCT = 0.25
"""Part of the rounding error below which an operator more is worth it."""

SAME_CHANNELS = ("Reshape", "Gather", "Squeeze", "Unsqueeze", "Identity")
"""Operators that may hand whole rows of channels on."""


@dataclass(frozen=True)
class Uneven:
    """A ``tensor`` of ``shape``, channels last, that only ``layers`` read.

    ``parameters``: the node and input of each constant that its last step scales channels by, none
    where it does not.
    """

    tensor: str
    shape: tuple[int, ...]
    parameters: tuple[tuple[str, int], ...]
    layers: tuple[str, ...]


@dataclass
class ChannelStatistics:
    """Least and largest value, and mean square, of each channel [channels]; of all rows seen."""

    low: Values
    high: Values
    squares: Values
    rows: int = 0

    @staticmethod
    def of(channels: int) -> ChannelStatistics:
        """Of nothing yet."""
        return ChannelStatistics(np.zeros(channels), np.zeros(channels), np.zeros(channels))

    @staticmethod
    def seen(values: NDArray[np.float32]) -> ChannelStatistics:
        """Of ``values`` [.., channels] alone."""
        found = ChannelStatistics.of(values.shape[-1])
        found.add(values)
        return found

    @property
    def amax(self) -> float:
        """The largest magnitude."""
        return float(np.maximum(self.high, -self.low).max())

    def add(self, values: NDArray[np.float32]) -> None:
        """Count ``values`` [.., channels]."""
        rows = values.reshape(-1, values.shape[-1]).astype(np.float64)
        self.low = np.minimum(self.low, rows.min(axis=0))
        self.high = np.maximum(self.high, rows.max(axis=0))
        self.squares = self.squares + np.square(rows).sum(axis=0)
        self.rows += len(rows)


def usual(images: Sequence[ChannelStatistics]) -> ChannelStatistics:
    """All of ``images`` together, those left out that ``usual_amax`` takes for outliers."""
    most = usual_amax([image.amax for image in images])
    found = ChannelStatistics.of(len(images[0].low))
    for image in images:
        if image.amax <= most:
            found.low = np.minimum(found.low, image.low)
            found.high = np.maximum(found.high, image.high)
            found.squares = found.squares + image.squares
            found.rows += image.rows
    return found


def smooth(model: onnx.ModelProto, feeds: Iterable[Feed]) -> onnx.ModelProto:
    """``model`` with evened channels, by what ``feeds`` show; itself where there are none to even.

    Names and shapes of layers and tensors stay.
    """
    found = uneven(Graph(model))
    if not found:
        return model
    seen = channel_statistics(model, {each.tensor: -1 for each in found}, feeds)
    graph = Graph(deepcopy(model))
    layers = {layer.name: layer for layer in graph.layers()}
    for each in found:
        parts = [graph.weight(layers[name]) for name in each.layers]
        weight, statistics = of_rows(np.concatenate(parts)), seen[each.tensor]
        by = factors(weight, statistics)
        if each.parameters:
            _scale_parameters(graph, each, by)
        elif not _is_worth_it(weight, statistics, by):
            continue
        else:
            _insert_product(graph, each, by)
        _scale_weights(graph, each, by)
    drop_unread(graph.model.graph)
    return graph.model


def channel_statistics(
    model: onnx.ModelProto, tensors: Mapping[str, int], feeds: Iterable[Feed]
) -> dict[str, ChannelStatistics]:
    """What ``feeds`` show of the channels of ``tensors``, each with the axis that they are on."""
    images: dict[str, list[ChannelStatistics]] = {name: [] for name in tensors}
    watched = InstrumentedModel(model, tensors)
    for feed in feeds:
        values = watched.computed(feed)
        for name, axis in tensors.items():
            images[name].append(ChannelStatistics.seen(np.moveaxis(values[name], axis, -1)))
    return {name: usual(parts) for name, parts in images.items()}


def uneven(graph: Graph) -> list[Uneven]:
    """The tensors of ``graph`` whose channels can be scaled without changing what it computes."""
    free = list(_normalized(graph))
    known = {name for each in free for name in each.layers}
    others: dict[str, Uneven] = {}
    for layer in graph.layers():
        if layer.op_type == "Gemm" and layer.name not in known:
            name, inputs = str(layer.input[0]), graph.weight(layer).shape[1]
            name = _before_reshapes(graph, name, inputs)
            shape, layers = graph.shape(name), _layers(graph, name, inputs)
            # Of a single row there are no other values in a channel.
            if shape is not None and layers and np.prod(shape[:-1]) > 1:
                others[name] = Uneven(name, shape, (), tuple(layers))
    return [*free, *others.values()]


def _before_reshapes(graph: Graph, name: str, channels: int) -> str:
    """What ``name`` is reshaped from, where its channels stay as they are."""
    node = graph.producer.get(name)
    if node is not None and node.op_type == "Reshape":
        shape = graph.shape(node.input[0])
        if shape is not None and len(shape) > 1 and shape[-1] == channels:
            return _before_reshapes(graph, node.input[0], channels)
    return name


def _is_worth_it(weight: Sequence[Weight], seen: ChannelStatistics, by: Values) -> bool:
    plain = rounding_error(weight, seen, np.ones(len(by)))
    return rounding_error(weight, seen, by) < WORTH_A_PRODUCT * plain


def of_rows(weight: NDArray[np.floating[Any]]) -> list[Weight]:
    """The weight [outputs, channels] of fully connected layers, as that of one group and place."""
    return [weight.astype(np.float64)[None, :, :, None]]


def _normalized(graph: Graph) -> Iterator[Uneven]:
    """The tensors that end in a gain of each channel."""
    for node in graph.model.graph.node:
        parameters = _parameters(graph, node)
        shape = graph.shape(node.output[0]) if parameters else None
        if shape is None:
            continue
        sizes = {graph.weights[_read(graph, *each)].dims[0] for each in parameters}
        layers = _layers(graph, node.output[0], shape[-1])
        if layers and sizes == {shape[-1]}:
            yield Uneven(node.output[0], shape, tuple(parameters), tuple(layers))


def factors(
    weights: Sequence[Weight], seen: ChannelStatistics, powers: Sequence[float] = POWERS
) -> Values:
    """What to divide each channel by, which ``weights`` multiply.

    Of ``powers`` of its largest activation over powers of its largest weight, those of the least
    ``rounding_error``; within ``LARGEST`` either way.
    """
    largest = np.maximum(seen.high, -seen.low)
    weighed = np.max([np.abs(weight).max(axis=(1, 3)).ravel() for weight in weights], axis=0)
    alive = (largest > 0.0) & (weighed > 0.0)
    if not alive.any():
        return np.ones(len(largest))
    read = np.where(alive, largest / largest.max(), 1.0)
    held = np.where(alive, weighed / weighed.max(), 1.0)
    tried = [np.clip(read**a / held**b, 1.0 / LARGEST, LARGEST) for a, b in product(powers, powers)]
    return min(tried, key=lambda by: rounding_error(weights, seen, by))


def rounding_error(weights: Sequence[Weight], seen: ChannelStatistics, by: Values) -> float:
    """Expected squared error of what ``weights`` make of channels that are divided ``by`` factors.

    A step of codes is off by its square over 12. Activations have one step for all channels, which
    their weights multiply; weights one for each output, which the mean square of activations does.
    """
    step = ((seen.high / by).max() - (seen.low / by).min()) / UINT8_LEVELS
    squares = seen.squares / max(seen.rows, 1) / by**2
    total = 0.0
    for weight in weights:
        groups, _, channels, places = weight.shape
        scaled = weight * by.reshape(groups, 1, channels, 1)
        steps = np.abs(scaled).max(axis=(2, 3)) / INT8_MAX
        seen_by_group = places * squares.reshape(groups, channels).sum(axis=1)
        total += step**2 * np.square(scaled).sum()
        total += (np.square(steps).sum(axis=1) * seen_by_group).sum()
    return float(total) / 12.0


def _parameters(graph: Graph, node: onnx.NodeProto) -> list[tuple[str, int]]:
    """The constants of each channel that ``node`` and the one before it end a normalization by."""
    if node.op_type == "LayerNormalization":
        last = attributes(node).get("axis", -1) == -1
        found = [(node.name, place) for place in range(1, len(node.input))]
    elif node.op_type == "Add":
        last, found = True, list(_gain_and_offset(graph, node))
    else:
        return []
    vectors = all(
        (name := _read(graph, *each)) in graph.weights and len(graph.weights[name].dims) == 1
        for each in found
    )
    return found if last and vectors else []


def _gain_and_offset(graph: Graph, add: onnx.NodeProto) -> Iterator[tuple[str, int]]:
    """The constants of ``add`` and of the Mul before it, where it ends a normalization so."""
    for place in (0, 1):
        scaled = graph.producer.get(add.input[1 - place])
        if add.input[place] not in graph.weights or scaled is None or scaled.op_type != "Mul":
            continue
        gains = [other for other, name in enumerate(scaled.input) if name in graph.weights]
        if len(gains) == 1 and len(graph.consumers[scaled.output[0]]) == 1:
            yield scaled.name, gains[0]
            yield add.name, place


def _read(graph: Graph, node: str, place: int) -> str:
    """What the node called ``node`` reads at ``place``."""
    return next(str(n.input[place]) for n in graph.model.graph.node if n.name == node)


def _layers(graph: Graph, name: str, channels: int) -> list[str] | None:
    """The fully connected layers with weights of their own that alone read ``name``.

    None where others read it, or its channels come apart.
    """
    if name in graph.outputs:
        return None
    found: list[str] = []
    for node in graph.consumers[name]:
        if node.op_type == "Gemm" and _is_own(graph, node, name):
            found.append(node.name)
            continue
        shape = graph.shape(node.output[0])
        whole = node.op_type in SAME_CHANNELS and node.input[0] == name
        kept = shape is not None and len(shape) > 0 and shape[-1] == channels
        if node.op_type == "Gather":
            rank = len(graph.shape(name) or ())
            kept = kept and attributes(node).get("axis", 0) % max(rank, 1) != rank - 1
        behind = _layers(graph, node.output[0], channels) if whole and kept else None
        if behind is None:
            return None
        found += behind
    return found


def _is_own(graph: Graph, layer: onnx.NodeProto, name: str) -> bool:
    """Whether ``layer`` multiplies ``name`` by a constant that nothing else reads."""
    weight = layer.input[1]
    alone = len(graph.consumers[weight]) == 1
    return layer.input[0] == name and weight in graph.weights and alone


def _scale_parameters(graph: Graph, each: Uneven, by: Values) -> None:
    """Divide the channels of a tensor ``by`` factors."""
    nodes = {node.name: node for node in graph.model.graph.node}
    for name, place in each.parameters:
        node = nodes[name]
        value = numpy_helper.to_array(graph.weights[node.input[place]]) / by
        constant = f"{each.tensor}__smoothed_{place}_of_{name}"
        node.input[place] = add_constant(graph.model.graph, constant, value.astype(np.float32))


def _insert_product(graph: Graph, each: Uneven, by: Values) -> None:
    """Let what reads a tensor read it divided ``by`` factors of its channels."""
    target = f"{each.tensor}__evened"
    nodes: list[onnx.NodeProto] = []
    shares = add_constant(graph.model.graph, f"{target}__shares", (1.0 / by).astype(np.float32))
    product = helper.make_node("Mul", [each.tensor, shares], [target], target)
    waiting = True
    for node in graph.model.graph.node:
        if each.tensor in node.input:
            nodes.extend([product] if waiting else [])
            waiting = False
            node.input[:] = [target if name == each.tensor else name for name in node.input]
        nodes.append(node)
    replace_items(graph.model.graph.node, nodes)
    described = helper.make_tensor_value_info(target, onnx.TensorProto.FLOAT, each.shape)
    graph.model.graph.value_info.append(described)


def _scale_weights(graph: Graph, each: Uneven, by: Values) -> None:
    """Multiply what the layers multiply a tensor's channels by."""
    for layer in graph.layers():
        if layer.name in each.layers:
            scaled = (graph.weight(layer) * by).astype(np.float32)
            graph.replace_weight(layer.input[1], graph.as_stored(layer, scaled))
