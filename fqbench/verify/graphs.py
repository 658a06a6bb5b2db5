"""ONNX graphs cut into what their first operators compute, and which outputs jump."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from copy import deepcopy

import numpy as np
import onnx
from onnx.helper import make_empty_tensor_value_info, make_node, make_tensor_value_info

from fqbench.convert.canonical import identifier
from fqbench.graph.graph import add_constant, attributes, drop_unread, replace_items

ADDED = "fqbench_added"

JUMPS = frozenset(
    {
        "ArgMax",
        "ArgMin",
        "Ceil",
        "Equal",
        "Floor",
        "Greater",
        "GreaterOrEqual",
        "Hardmax",
        "Less",
        "LessOrEqual",
        "Mod",
        "NonMaxSuppression",
        "NonZero",
        "Round",
        "Sign",
        "ThresholdedRelu",
        "TopK",
        "Unique",
    }
)
"""Operators whose result jumps where what they read hardly changes; quantizing jumps little."""

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
    to = attributes(node).get("to", onnx.TensorProto.FLOAT)
    return node.op_type in JUMPS or (node.op_type == "Cast" and to not in FLOATS)


def prefix(model: onnx.ModelProto, count: int) -> onnx.ModelProto:
    """The first ``count`` nodes of ``model``, a canonical graph.

    Its outputs are what later nodes read of them, and what ``model`` itself returns of them.
    """
    result = deepcopy(model)
    graph, later = result.graph, model.graph.node[count:]
    del graph.node[count:]
    written = _written(result)
    wanted = {name for node in later for name in node.input}
    wanted.update(value.name for value in model.graph.output)
    described = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    returned = [described.get(n, make_empty_tensor_value_info(n)) for n in written if n in wanted]
    replace_items(graph.output, returned)
    inside = set(written) - wanted
    replace_items(graph.value_info, (v for v in graph.value_info if v.name in inside))
    drop_unread(graph)
    return result


def with_weight(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with an output of one more operator, which has a weight.

    Paddle writes no parameters of a program without weights, and without that file loads none.
    """
    result = deepcopy(model)
    source, weight, target = result.graph.input[0], f"{ADDED}_weight", f"{ADDED}_output"
    add_constant(result.graph, weight, np.full(1, 0.5, np.float32))
    result.graph.node.append(make_node("Mul", [source.name, weight], [target], ADDED))
    shape = [dim.dim_value for dim in source.type.tensor_type.shape.dim]
    result.graph.output.append(make_tensor_value_info(target, onnx.TensorProto.FLOAT, shape))
    return result


def shared_names(source: onnx.ModelProto, model: onnx.ModelProto) -> dict[str, str]:
    """Names of the tensors that ``model`` writes, and what ``source`` calls the same ones.

    ``model`` was made from ``source``, and its names may have been made identifiers.
    """
    known: dict[str, list[str]] = {}
    for name in _written(source):
        known.setdefault(identifier(name), []).append(name)
    alike = {name: known.get(identifier(name), []) for name in _written(model)}
    return {name: of_source[0] for name, of_source in alike.items() if len(of_source) == 1}


def showing(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """``model`` with the tensors ``names`` as its outputs."""
    result = deepcopy(model)
    replace_items(result.graph.output, map(make_empty_tensor_value_info, names))
    return result


def first_of(model: onnx.ModelProto, names: AbstractSet[str]) -> str | None:
    """Type and name of the first node of ``model`` that writes one of the tensors ``names``."""
    nodes = (node for node in model.graph.node if not names.isdisjoint(node.output))
    return next(map(_called, nodes), None)


def _written(model: onnx.ModelProto) -> list[str]:
    return [name for node in model.graph.node for name in node.output if name]


def _called(node: onnx.NodeProto) -> str:
    return f"{node.op_type} {node.name!r}"


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
    return _called(model.graph.node[wrong - 1])
