"""Which operators of a graph decide an index or an order."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from copy import deepcopy

import onnx
from onnx.helper import make_empty_tensor_value_info, make_tensor_value_info

from fqbench.graph.graph import WEIGHTED, Graph, drop_unread, replace_items

SORTING = frozenset({"NonMaxSuppression", "NonZero", "TopK", "Unique"})
"""Operators whose answer is an order: rows of what they choose come as their values tell."""

ORDERING = SORTING | {"ArgMax", "ArgMin", "Hardmax"}
"""Operators whose answer is an index or an order.

Eight bits make equals of values that differ: whichever comes first wins, as the first query of a
DETR among all that have its code.
"""

MOVING = frozenset(
    {"Flatten", "Identity", "ReduceMax", "Reshape", "Slice", "Split", "Squeeze", "Transpose"}
    | {"Unsqueeze"}
)
"""Operators that lay out or choose what they read first, and compute nothing."""


def ordering(graph: Graph) -> frozenset[str]:
    """Names of the nodes that an index or an order depends on through no layer behind them.

    These are the operators of ``ORDERING``, what computes the values that they read, and the layers
    that this begins with: what such layers write is not to be rounded, nor what others of these
    nodes read.
    """
    pending = [node for node in graph.model.graph.node if node.op_type in ORDERING]
    found = {node.name for node in pending}
    while pending:
        node = pending.pop()
        if node.op_type in WEIGHTED:
            continue
        for name in node.input:
            producer = graph.producer.get(name)
            if producer is not None and producer.name not in found:
                found.add(producer.name)
                pending.append(producer)
    return frozenset(found)


def unordered(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model``, as it is before its rows are put in order at the end; else itself.

    Rows of two such models cannot be compared one by one: where scores are almost equal, what
    rounds leaves all of them right and few in their place. An output that is in order is replaced
    by the tensors that it is chosen from. Where layers follow, what they compute is the answer, and
    nothing is replaced.
    """
    graph = Graph(model)
    sorted_nodes = _following(model.graph.node)
    ordered = {name for node in sorted_nodes for name in node.output}
    if ordered.isdisjoint(graph.outputs) or any(n.op_type in WEIGHTED for n in sorted_nodes):
        return model
    computed = _computed(graph)
    read = [n for node in sorted_nodes for n in node.input if n in computed and n not in ordered]
    sources = (_source(graph, name) for name in read)
    kept = [name for name in graph.outputs if name not in ordered]
    names = dict.fromkeys([*kept, *sources])
    # Where the input itself is put in order, nothing is computed before that.
    return ending_in(model, names) if names else model


def head_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """What ``unordered`` takes off ``model``, as a model of its own; its inputs are the tensors
    that ``unordered`` ends in, floats where their type is not known."""
    cut, result = unordered(model), deepcopy(model)
    before = {name for node in cut.graph.node for name in node.output}
    nodes = [node for node in model.graph.node if before.isdisjoint(node.output)]
    replace_items(result.graph.node, nodes)
    replace_items(result.graph.input, map(_typed, cut.graph.output))
    own = {name for node in nodes for name in node.output}
    replace_items(result.graph.value_info, (v for v in model.graph.value_info if v.name in own))
    drop_unread(result.graph)
    return result


def _typed(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    if value.type.tensor_type.elem_type:
        return value
    return make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, None)


def ending_in(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """A copy of ``model`` whose outputs are its tensors ``names``, without what follows them."""
    result = deepcopy(model)
    described = {v.name: v for v in (*model.graph.value_info, *model.graph.output)}
    wanted = list(names)
    outputs = [described.get(name, make_empty_tensor_value_info(name)) for name in wanted]
    needed, nodes = set(wanted), []
    for node in reversed(model.graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            nodes.append(node)
    replace_items(result.graph.node, nodes[::-1])
    replace_items(result.graph.output, outputs)
    written = {name for node in nodes for name in node.output} - set(wanted)
    replace_items(result.graph.value_info, (v for v in model.graph.value_info if v.name in written))
    drop_unread(result.graph)
    return result


def in_order(model: onnx.ModelProto) -> frozenset[str]:
    """The tensors whose rows stand as an order says, or that are computed of such."""
    return frozenset(name for node in _following(model.graph.node) for name in node.output)


def _following(nodes: Iterable[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes that put in order, and all that depends on these."""
    found, ordered = [], set[str]()
    for node in nodes:
        if node.op_type in SORTING or not ordered.isdisjoint(node.input):
            found.append(node)
            ordered.update(node.output)
    return found


def _computed(graph: Graph) -> Collection[str]:
    """The tensors that depend on the model's inputs."""
    found = set(graph.inputs)
    for node in graph.model.graph.node:
        if not found.isdisjoint(node.input):
            found.update(node.output)
    return found - set(graph.inputs)


def _source(graph: Graph, name: str) -> str:
    """What ``name`` is only moved or chosen from."""
    node = graph.producer[name]
    while node.op_type in MOVING and node.input[0] in graph.producer:
        name, node = node.input[0], graph.producer[node.input[0]]
    return name
