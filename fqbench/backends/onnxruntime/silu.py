"""SiLU as one operator in float: for graphs in which that is faster than two in integers.

Kernels for integers look the sigmoid up byte by byte and then multiply; in float both are one
vectorized kernel, and the sigmoid is not rounded in between.
"""

from __future__ import annotations

from collections.abc import Container
from copy import deepcopy

import onnx
from onnx import helper

from fqbench.graph.graph import Graph, replace_items

DOMAIN = "com.microsoft"
KIND = "QuickGelu"
"""ONNX Runtime's own operator for x * sigmoid(alpha * x)."""

CHANNELS_LAST, CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def float_silus(model: onnx.ModelProto, integers: Container[str]) -> onnx.ModelProto:
    """``model`` with each SiLU named in ``integers`` as one float operator; the same function.

    It stands between transposes: integer convolutions keep the channels of a place side by side,
    and the optimizer, which moves transposes through no ``QuickGelu``, finds them to cancel.
    """
    result = deepcopy(model)
    graph = Graph(result)
    gates = {
        node.name: gate
        for node in result.graph.node
        if node.name in integers
        and (gate := _own_gate(graph, node)) is not None
        and gate.name in integers
    }
    dropped = {gate.name for gate in gates.values()}
    instead: dict[str, str] = {}
    nodes: list[onnx.NodeProto] = []
    for node in result.graph.node:
        node.input[:] = [instead.get(name, name) for name in node.input]
        if node.name in gates:
            source, target = gates[node.name].input[0], node.output[0]
            last, first = f"{node.name}__channels_last", f"{node.name}__channels_first"
            nodes += [
                helper.make_node("Transpose", [source], [last], last, perm=CHANNELS_LAST),
                helper.make_node(KIND, [last], [target], node.name, domain=DOMAIN, alpha=1.0),
                helper.make_node("Transpose", [target], [first], first, perm=CHANNELS_FIRST),
            ]
            instead[target] = first
        elif node.name not in dropped:
            nodes.append(node)
    replace_items(result.graph.node, nodes)
    for value in result.graph.value_info:
        # The old name belongs to a transposed tensor now.
        value.name = instead.get(value.name, value.name)
    if instead and all(known.domain != DOMAIN for known in result.opset_import):
        result.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return result


def _own_gate(graph: Graph, node: onnx.NodeProto) -> onnx.NodeProto | None:
    """The sigmoid of the SiLU of an image that ``node`` ends, where nothing else reads it."""
    gate = graph.gate(node)
    if gate is None or node.output[0] in graph.outputs:
        return None
    shape = graph.shape(node.output[0])
    alone = len(graph.consumers[gate.output[0]]) == 1 and gate.output[0] not in graph.outputs
    return gate if alone and shape is not None and len(shape) == 4 else None
