"""HardSwish as one operator, however it was written.

Exporters of other frameworks, and of older opsets, write x * min(max(x + 3, 0), 6) / 6 as four
operators, or as two with a HardSigmoid. Runtimes that have a kernel for it find it by its name.
"""

from __future__ import annotations

import onnx
from onnx.helper import make_node
from onnx.numpy_helper import to_array

from fqbench.graph.graph import Graph, attributes, drop_unread, replace_items

OPSET = 14
"""The first opset with HardSwish. What it changes of others does not concern inference."""

SIXTH, HALF = 1.0 / 6.0, 0.5
"""Slope and offset of the HardSigmoid in it."""

NEAR = 1e-4
"""How far constants may be from those of the definition, relatively."""


def hard_swishes(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with each HardSwish that is written out as one operator, in place."""
    graph = Graph(model)
    found: dict[str, str] = {}
    for node in model.graph.node:
        source = _source(graph, node)
        if source is not None:
            found[node.output[0]] = source
    if not found:
        return model
    nodes = [
        make_node("HardSwish", [found[node.output[0]]], node.output, node.name)
        if node.output and node.output[0] in found
        else node
        for node in model.graph.node
    ]
    replace_items(model.graph.node, _read(nodes, model.graph))
    for known in model.opset_import:
        if known.domain in ("", "ai.onnx"):
            known.version = max(known.version, OPSET)
    drop_unread(model.graph)
    return model


def _source(graph: Graph, last: onnx.NodeProto) -> str | None:
    """What ``last`` computes the HardSwish of; None where it computes something else."""
    scaled = _times(graph, last)
    if scaled is not None and abs(scaled[1] - SIXTH) < NEAR * SIXTH:
        product = graph.producer.get(scaled[0])
        if product is not None and product.op_type == "Mul":
            for source, gate in (product.input, reversed(product.input)):
                if _clipped(graph, gate) == source:
                    return str(source)
    if last.op_type != "Mul":
        return None
    for source, gate in (last.input, reversed(last.input)):
        if _gated(graph, gate) == source:
            return str(source)
    return None


def _gated(graph: Graph, name: str) -> str | None:
    """What ``name`` is the HardSigmoid of that HardSwish has."""
    node = graph.producer.get(name)
    if node is not None and node.op_type == "HardSigmoid":
        given = {"alpha": 0.2, "beta": HALF, **attributes(node)}
        near = abs(given["alpha"] - SIXTH) < NEAR and abs(given["beta"] - HALF) < NEAR
        return str(node.input[0]) if near else None
    scaled = None if node is None else _times(graph, node)
    if scaled is None or abs(scaled[1] - SIXTH) >= NEAR * SIXTH:
        return None
    return _clipped(graph, scaled[0])


def _clipped(graph: Graph, name: str) -> str | None:
    """The x of which ``name`` is min(max(x + 3, 0), 6)."""
    clip = graph.producer.get(name)
    if clip is None or clip.op_type != "Clip":
        return None
    limits = [_number(graph, limit) for limit in clip.input[1:]]
    added = graph.producer.get(clip.input[0])
    if limits != [0.0, 6.0] or added is None or added.op_type != "Add":
        return None
    for source, shift in (added.input, reversed(added.input)):
        if _number(graph, shift) == 3.0:
            return str(source)
    return None


def _times(graph: Graph, node: onnx.NodeProto) -> tuple[str, float] | None:
    """What ``node`` multiplies by which constant number."""
    if node.op_type == "Div" and (divisor := _number(graph, node.input[1])):
        return str(node.input[0]), 1.0 / divisor
    if node.op_type == "Mul":
        for name, factor in (node.input, reversed(node.input)):
            if (number := _number(graph, factor)) is not None:
                return str(name), number
    return None


def _number(graph: Graph, name: str) -> float | None:
    """The value of a constant of one number."""
    tensor = graph.weights.get(name)
    if tensor is None:
        return None
    value = to_array(tensor)
    return float(value.ravel()[0]) if value.size == 1 else None


def _read(nodes: list[onnx.NodeProto], graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Those of ``nodes`` that something needs."""
    wanted = {value.name for value in graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]
