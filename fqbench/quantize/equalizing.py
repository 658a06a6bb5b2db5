"""Channels of images between convolutions evened out, so that one scale for all loses less.

Nagel et al. 2019, data-free quantization (arXiv:1906.04721), cross-layer equalization: what lies
between two layers is nothing or a ReLU, so channels that one writes can be divided by any factors
by which the weights of the next are multiplied: float computes the same. What the first layer
writes with weights that have a scale for each channel takes that for nothing, and a depthwise one
that reads it, too. Behind a HardSwish, which is computed in float, a product of each channel does
it, where that is worth an operator more.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph, add_constant, attributes, drop_unread, replace_items
from fqbench.quantize.smoothing import (
    POWERS,
    ChannelStatistics,
    Values,
    Weight,
    channel_statistics,
    factors,
    rounding_error,
)

WHOLE = (*POWERS, 1.0)
"""Powers that are tried: a depthwise layer takes a channel by all that it reaches."""

WORTH_ANOTHER_SCALE = 0.9
"""Part of the rounding error below which factors are taken that cost nothing."""

WORTH_A_PRODUCT = 1 / 3
"""Part of the rounding error below which an operator more is worth it."""

HOMOGENEOUS = ("Relu", "LeakyRelu", "MaxPool", "AveragePool")
"""Operators that do the same to each channel whatever positive number it is multiplied by."""

IN_FLOAT = ("HardSwish",)
"""Operators that no runtime computes in integers, so that nothing is rounded before a product."""


@dataclass(frozen=True)
class Between:
    """A ``tensor`` that only convolutions, ``readers``, read. ``writer``: the layer that its
    channels can be scaled in; None where a product has to do it."""

    tensor: str
    writer: str | None
    readers: tuple[str, ...]


def equalize(model: onnx.ModelProto, feeds: Iterable[Feed]) -> onnx.ModelProto:
    """``model`` with evened channels, by what ``feeds`` show; itself where there are none to even.

    Names and shapes of layers and tensors stay.
    """
    graph = Graph(model)
    found = between(graph)
    if not found:
        return model
    seen = channel_statistics(model, {each.tensor: 1 for each in found}, feeds)
    chosen = {each.tensor: _worthwhile(graph, each, seen[each.tensor]) for each in found}
    if all(by is None for by in chosen.values()):
        return model
    result = deepcopy(model)
    for each in found:
        by = chosen[each.tensor]
        if by is not None:
            _even(Graph(result), each, by)
    drop_unread(result.graph)
    return result


def _even(graph: Graph, each: Between, by: Values) -> None:
    """Divide the channels of a tensor ``by`` factors, and multiply what reads them."""
    nodes = {node.name: node for node in graph.model.graph.node}
    for name in each.readers:
        _scale_read(graph, nodes[name], by)
    if each.writer is None:
        _insert_product(graph, each, by)
    else:
        _scale_written(graph, nodes[each.writer], by)


def between(graph: Graph) -> list[Between]:
    """The tensors whose channels can be scaled without changing what ``graph`` computes."""
    names = dict.fromkeys(str(node.input[0]) for node in graph.convolutions())
    found = (_between(graph, name) for name in names)
    return [each for each in found if each is not None]


def _between(graph: Graph, tensor: str) -> Between | None:
    readers = graph.consumers[tensor]
    shape = graph.shape(tensor)
    if shape is None or len(shape) != 4 or tensor in graph.outputs:
        return None
    if not all(_is_own(graph, node) and node.input[0] == tensor for node in readers):
        return None
    names = tuple(node.name for node in readers)
    name = tensor
    while (node := graph.producer.get(name)) is not None:
        if name == tensor and _is_in_float(graph, node):
            return Between(tensor, None, names)
        if _writes(graph, node):
            return Between(tensor, node.name, names)
        source = str(node.input[0]) if node.input else ""
        alone = len(graph.consumers[source]) == 1 and source not in graph.outputs
        if node.op_type not in HOMOGENEOUS or not alone or len(node.output) > 1:
            return None
        name = source
    return None


def _is_in_float(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether ``node`` is an operator ``IN_FLOAT``, or adds a constant to what only it reads."""
    if node.op_type == "Add":
        sources = [name for name in node.input if name not in graph.weights]
        before = graph.producer.get(sources[0]) if len(sources) == 1 else None
        return before is not None and before.op_type in IN_FLOAT
    return node.op_type in IN_FLOAT


def _is_own(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a convolution with a weight that nothing else reads."""
    if node.op_type != "Conv" or any(name not in graph.weights for name in node.input[1:]):
        return False
    return len(graph.consumers[node.input[1]]) == 1


def _writes(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether the channels of what ``node`` writes can be scaled in its weight."""
    if node.op_type == "Conv":
        return _is_own(graph, node)
    if node.op_type != "ConvTranspose" or any(n not in graph.weights for n in node.input[1:]):
        return False
    groups, weight = attributes(node).get("group", 1), graph.weights[node.input[1]]
    # Its weight is [inputs, outputs of a group, ..].
    whole = groups == 1 or (weight.dims[1] == 1 and groups == weight.dims[0])
    return whole and len(graph.consumers[node.input[1]]) == 1


def _worthwhile(graph: Graph, each: Between, seen: ChannelStatistics) -> Values | None:
    """The factors to divide the channels of a tensor by; None where they bring too little."""
    nodes = {node.name: node for node in graph.layers()}
    weights = [_weight(graph, nodes[name]) for name in each.readers]
    by = factors(weights, seen, WHOLE)
    plain = rounding_error(weights, seen, np.ones(len(by)))
    part = WORTH_A_PRODUCT if each.writer is None else WORTH_ANOTHER_SCALE
    return by if rounding_error(weights, seen, by) < part * plain else None


def _weight(graph: Graph, layer: onnx.NodeProto) -> Weight:
    """The weight of a convolution by its groups."""
    weight = graph.weight(layer).astype(np.float64)
    groups = attributes(layer).get("group", 1)
    outputs, channels = weight.shape[:2]
    return weight.reshape(groups, outputs // groups, channels, -1)


def _scale_written(graph: Graph, layer: onnx.NodeProto, by: Values) -> None:
    """Let ``layer`` write its channels divided ``by`` factors."""
    of_outputs = attributes(layer).get("group", 1) == 1 and layer.op_type == "ConvTranspose"
    weight = numpy_helper.to_array(graph.weights[layer.input[1]])
    axis = 1 if of_outputs else 0
    shares = (1.0 / by).reshape([-1 if place == axis else 1 for place in range(weight.ndim)])
    graph.replace_weight(layer.input[1], (weight * shares).astype(np.float32))
    if len(layer.input) > 2:
        bias = numpy_helper.to_array(graph.weights[layer.input[2]]) / by
        name = f"{layer.output[0]}__evened_bias"
        layer.input[2] = add_constant(graph.model.graph, name, bias.astype(np.float32))


def _scale_read(graph: Graph, layer: onnx.NodeProto, by: Values) -> None:
    """Multiply what ``layer`` multiplies each channel by."""
    weight = graph.weight(layer)
    scaled = _weight(graph, layer) * by.reshape(weight.shape[0] // _outputs(graph, layer), 1, -1, 1)
    graph.replace_weight(layer.input[1], scaled.reshape(weight.shape).astype(np.float32))


def _outputs(graph: Graph, layer: onnx.NodeProto) -> int:
    """Outputs of each group of ``layer``."""
    return int(graph.weight(layer).shape[0] // attributes(layer).get("group", 1))


def _insert_product(graph: Graph, each: Between, by: Values) -> None:
    """Let what reads a tensor read it divided ``by`` factors of its channels."""
    model, target = graph.model.graph, f"{each.tensor}__evened"
    shares = (1.0 / by).astype(np.float32).reshape(-1, 1, 1)
    name = add_constant(model, f"{target}__shares", shares)
    product_of_channels = helper.make_node("Mul", [each.tensor, name], [target], target)
    nodes: list[onnx.NodeProto] = []
    for node in model.node:
        nodes.append(node)
        if each.tensor in node.output:
            nodes.append(product_of_channels)
        elif node.name in each.readers:
            node.input[0] = target
    replace_items(model.node, nodes)
    shape = graph.shape(each.tensor)
    model.value_info.append(helper.make_tensor_value_info(target, onnx.TensorProto.FLOAT, shape))
