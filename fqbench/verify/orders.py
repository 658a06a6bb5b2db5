"""A graph whose orders are given, so that two ways to run it answer in the same one.

Of two candidates that score alike rounding decides which comes first, and all behind a TopK then
belongs to another query. With the order that float computes, both compute the same of the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import onnx

from fqbench.graph.graph import Graph, drop_unread, replace_items
from fqbench.graph.ordering import ORDERING
from fqbench.verify.conversion import Feed, graph_runner
from fqbench.verify.graphs import showing


def ordered_outputs(model: onnx.ModelProto) -> frozenset[str]:
    """The outputs of ``model`` that depend on an index or an order; none in most models."""
    found: set[str] = set()
    for node in model.graph.node:
        if node.op_type in ORDERING or not found.isdisjoint(node.input):
            found.update(node.output)
    return frozenset(value.name for value in model.graph.output if value.name in found)


def with_given_orders(
    model: onnx.ModelProto, feeds: Sequence[Feed]
) -> tuple[onnx.ModelProto, list[Feed]]:
    """``model`` that is fed what its operators of ``ORDERING`` compute, and ``feeds`` with that.

    It returns, too, what the last of them reads: what is ordered before that says little in itself,
    as scores of places that hold nothing. ``model``: a canonical graph in float32.
    """
    nodes = [node for node in model.graph.node if node.op_type in ORDERING]
    last = [node for node in nodes if _is_last(Graph(model), node)]
    # Of a TopK often the indices alone are read, and a converter may refuse an unread input.
    others = [node for node in model.graph.node if node.op_type not in ORDERING]
    read = {name for node in (*others, *last) for name in node.input}
    read.update(value.name for value in model.graph.output)
    given = [name for node in nodes for name in node.output if name in read]
    run = graph_runner(showing(model, given), optimized=True)
    # ONNX Runtime's 64-bit integers are another C type than numpy's, which OpenVINO does not know.
    computed = [
        {name: v.astype(v.dtype.name) for name, v in zip(given, run(feed), strict=True)}
        for feed in feeds
    ]
    result = deepcopy(model)
    graph = result.graph
    for name in given:
        value = computed[0][name]
        kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        graph.input.append(onnx.helper.make_tensor_value_info(name, kind, value.shape))
    weights, returned = Graph(model).weights, {value.name for value in graph.output}
    known = {value.name: value for value in (*graph.value_info, *graph.input)}
    for name in dict.fromkeys(name for node in last for name in node.input if name):
        if name not in weights and name not in returned and name in known:
            graph.output.append(known[name])
    replace_items(graph.node, others)
    inside = {value.name for value in (*graph.input, *graph.output)}
    replace_items(graph.value_info, (v for v in graph.value_info if v.name not in inside))
    drop_unread(graph)
    return result, [
        [*feed, *(values[name] for name in given)]
        for feed, values in zip(feeds, computed, strict=True)
    ]


def _is_last(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether nothing is ordered by what ``node`` orders."""
    pending, seen = list(node.output), set[str]()
    while pending:
        for reader in graph.consumers[pending.pop()]:
            if reader.op_type in ORDERING:
                return False
            if not seen.issuperset(reader.output):
                seen.update(reader.output)
                pending.extend(reader.output)
    return True
