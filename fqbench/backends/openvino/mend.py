"""The canonical graph as OpenVINO runs it faster, in float and in INT8 alike.

*Last operators.* Its kernels keep the channels of a place side by side. What reads a result channel
by channel, as detectors' last operators do before they turn it so that the channels of a place lie
side by side, has it turned twice. So it is turned once, at first, which moves nothing in memory.

*SiLU.* A kernel computes one itself, as its result leaves the registers, and takes more time for
that than for the products; its tangent, one pass behind the kernel, takes less. With h = x / 2,
x * sigmoid(x) = h * tanh(h) + h.

*Enlarging.* Depthwise transposed convolutions are convolutions of the smaller image, see
``fqbench.backends.transposed``.

*Tokens.* See ``tokens``. *Slices* that OpenVINO takes away: see ``slices``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from fqbench.backends.openvino.executed import HALVED
from fqbench.backends.openvino.slices import slices_as_splits
from fqbench.backends.openvino.tokens import token_layers, with_tokens
from fqbench.backends.transposed import depthwise_on_smaller_images, interleaved_at_once
from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph, add_constant, attributes, replace_items

CHANNELS_LAST = [0, 2, 3, 1]
ANCHORS_LAST, ANCHORS_FIRST = [0, 1, 3, 4, 2], [0, 3, 1, 2, 4]
"""Axes of [n, anchors, channels, h, w] with channels last; and of [n, h, w, anchors, channels] with
anchors first: both are [n, anchors, h, w, channels]."""
PLACES_FIRST = [0, 2, 1]

HALF = "silu__half"
"""The name of a constant."""


def mended(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with all of that; the same function."""
    faster = with_tangents(interleaved_at_once(reordered(model)))
    return with_tokens(faster, token_layers(Graph(model)))


def reordered(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with last operators and enlarging that keep the channels of a place together, and
    with Splits that stay; both in float and in INT8."""
    return depthwise_on_smaller_images(
        channels_last(slices_as_splits(model)), {node.name for node in model.graph.node}
    )


def with_tangents(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with each SiLU by its tangent; the same function."""
    graph = Graph(model)
    gates = {
        node.name: gate
        for node in model.graph.node
        if (gate := graph.gate(node)) is not None
        and len(graph.consumers[gate.output[0]]) == 1
        and gate.output[0] not in graph.outputs
    }
    dropped = {gate.name for gate in gates.values()}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.name in gates:
            nodes.extend(_by_tangent(graph, gates[node.name].input[0], node))
        elif node.name not in dropped:
            nodes.append(node)
    result = deepcopy(model)
    if gates:
        add_constant(result.graph, HALF, np.float32(0.5))
    _replace_nodes(result, nodes)
    return result


def _by_tangent(graph: Graph, source: str, product: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """What stands for the SiLU of ``source`` that ``product`` ends.

    OpenVINO halves a layer's weights for it, and calls the layer as the node that halves.
    """
    writer = graph.producer.get(source)
    called = f"{source if writer is None else writer.name}{HALVED}"
    name = product.output[0]
    half, tangent, scaled = (f"{name}__{part}" for part in ("half", "tangent", "scaled"))
    yield helper.make_node("Mul", [source, HALF], [half], called)
    yield helper.make_node("Tanh", [half], [tangent], tangent)
    yield helper.make_node("Mul", [half, tangent], [scaled], scaled)
    yield helper.make_node("Add", [scaled, half], [name], product.name)


def channels_last(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with its last operators reading channels last; the same function."""
    result = deepcopy(model)
    graph = Graph(result)
    instead: dict[str, list[onnx.NodeProto]] = {}
    for node in result.graph.node:
        if node.op_type == "Transpose":
            instead.update(_turned(graph, node))
    nodes = [new for node in result.graph.node for new in instead.get(node.name, [node])]
    _replace_nodes(result, nodes)
    return result


def _replace_nodes(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> None:
    """Give ``model`` other nodes, and no shapes of tensors that none of them writes."""
    kept = {name for node in nodes for name in node.output}
    known = [value for value in model.graph.value_info if value.name in kept]
    replace_items(model.graph.node, nodes)
    replace_items(model.graph.value_info, known)


def _turned(graph: Graph, last: onnx.NodeProto) -> dict[str, list[onnx.NodeProto]]:
    """What stands for the nodes that the transpose ``last`` ends, by their names."""
    perm, source = attributes(last).get("perm"), graph.producer.get(last.input[0])
    if source is None or not _only(graph, last.input[0]):
        return {}
    if perm == ANCHORS_LAST and _parts(graph, source, 5):
        n, anchors, channels, height, width = graph.shape(source.output[0]) or ()
        sizes = [n, height, width, anchors, channels]
        name, read = last.output[0], source.input[0]
        return {
            source.name: list(_channels_last(graph, read, f"{name}__places", sizes)),
            last.name: [
                helper.make_node(
                    "Transpose", [f"{name}__places"], [name], last.name, perm=ANCHORS_FIRST
                )
            ],
        }
    if perm != PLACES_FIRST:
        return {}
    joins = source.op_type == "Concat" and attributes(source)["axis"] in (2, -1)
    parts = [graph.producer.get(name) for name in source.input] if joins else [source]
    found = [part for part in parts if part is not None and _parts(graph, part, 3)]
    alone = all(_only(graph, part.output[0]) for part in found)
    if len(found) < len(parts) or not alone or len({part.name for part in found}) < len(found):
        return {}
    name, made = last.output[0], {}
    for number, part in enumerate(found):
        n, channels, places = graph.shape(part.output[0]) or ()
        target = f"{name}__part_{number}" if joins else name
        made[part.name] = list(_channels_last(graph, part.input[0], target, [n, places, channels]))
    if joins:
        names = [f"{name}__part_{number}" for number in range(len(found))]
        made[source.name] = [helper.make_node("Concat", names, [name], source.name, axis=1)]
    return {**made, last.name: []}


def _only(graph: Graph, name: str) -> bool:
    """Whether one node alone reads ``name``."""
    return len(graph.consumers[name]) == 1 and name not in graph.outputs


def _parts(graph: Graph, node: onnx.NodeProto, axes: int) -> bool:
    """Whether ``node`` reshapes an image so that its channels, or its places, get other axes."""
    if node.op_type != "Reshape" or node.input[1] not in graph.weights:
        return False
    whole, made = graph.shape(node.input[0]), graph.shape(node.output[0])
    if whole is None or made is None or len(whole) != 4 or len(made) != axes:
        return False
    if axes == 5:
        return made[0] == whole[0] and made[3:] == whole[2:]
    return made[:2] == whole[:2]


def _channels_last(
    graph: Graph, source: str, target: str, sizes: Sequence[int]
) -> Iterator[onnx.NodeProto]:
    turned, shape = f"{target}__channels_last", f"{target}__shape"
    add_constant(graph.model.graph, shape, np.array(sizes, np.int64))
    yield helper.make_node("Transpose", [source], [turned], turned, perm=CHANNELS_LAST)
    yield helper.make_node("Reshape", [turned, shape], [target], f"{target}__reshaped")


def for_float16(model: onnx.ModelProto, feeds: Sequence[Feed]) -> onnx.ModelProto:
    """The mended form of ``model``: OpenVINO makes float16 of it while it compiles."""
    return mended(model)


def write(model: Path, folder: Path) -> None:
    """Write the mended form of the ONNX file ``model`` into ``folder``."""
    onnx.save(mended(onnx.load(str(model))), str(folder / "model.onnx"))
