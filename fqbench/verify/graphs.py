"""ONNX graphs cut into what their first operators compute, and which outputs jump."""

from __future__ import annotations

from collections.abc import Callable

import onnx

JUMPS = frozenset(
    (
        "ArgMax ArgMin Ceil Equal Floor Greater GreaterOrEqual Hardmax Less LessOrEqual Mod"
        " NonMaxSuppression NonZero QuantizeLinear DynamicQuantizeLinear Round Sign"
        " ThresholdedRelu TopK Unique"
    ).split()
)
"""Operators whose result jumps where what they read hardly changes."""

OF_SHAPE = ("Shape", "Size")
"""Operators whose result does not depend on values."""

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)


def jumping(graph: onnx.GraphProto) -> frozenset[str]:
    """The tensors of ``graph`` that depend on its inputs through an operator that jumps."""
    weights = {tensor.name for tensor in graph.initializer}
    fed = {value.name for value in graph.input} - weights
    found: set[str] = set()
    for node in graph.node:
        read = set(node.input)
        if node.op_type in OF_SHAPE or read.isdisjoint(fed):
            continue
        fed.update(node.output)
        if _jumps(node) or not read.isdisjoint(found):
            found.update(node.output)
    return frozenset(found)


def _jumps(node: onnx.NodeProto) -> bool:
    to = next((a.i for a in node.attribute if a.name == "to"), onnx.TensorProto.FLOAT)
    return node.op_type in JUMPS or (node.op_type == "Cast" and to not in FLOATS)


def prefix(model: onnx.ModelProto, count: int) -> onnx.ModelProto:
    """The first ``count`` nodes of ``model``, a canonical graph.

    Its outputs are what later nodes read of them, and what ``model`` itself returns of them.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph, later = result.graph, model.graph.node[count:]
    del graph.node[count:]
    written = [name for node in graph.node for name in node.output if name]
    wanted = {name for node in later for name in node.input}
    wanted.update(value.name for value in model.graph.output)
    described = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    del graph.output[:]
    for name in written:
        if name in wanted:
            unknown = onnx.helper.make_empty_tensor_value_info(name)
            graph.output.append(described.get(name, unknown))
    known = {name for name in written if name not in wanted}
    kept = [value for value in graph.value_info if value.name in known]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    read = {name for node in graph.node for name in node.input}
    weights = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    return result


def first_operator(model: onnx.ModelProto, differs: Callable[[onnx.ModelProto], bool]) -> str:
    """Type and name of the first node of ``model`` whose prefix ``differs``; the whole one does.

    Bisection: what is wrong once is taken to stay wrong.
    """
    right, wrong = 0, len(model.graph.node)
    while wrong - right > 1:
        middle = (right + wrong) // 2
        if differs(prefix(model, middle)):
            wrong = middle
        else:
            right = middle
    node = model.graph.node[wrong - 1]
    return f"{node.op_type} {node.name!r}"
