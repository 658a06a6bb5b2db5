"""The graph of a student, marked where it is to round."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import deepcopy

import onnx
from onnx import helper, numpy_helper

from fqbench.graph.graph import Graph, drop_unread, replace_items
from fqbench.quantize.roundings import Rounding

MARK = "leaky_relu"
"""What Paddle calls the operator that stands for a rounding."""
SUFFIX = "__rounded"


def marked(
    model: onnx.ModelProto, tensors: Sequence[Rounding], outputs: Sequence[str], batch: int
) -> onnx.ModelProto:
    """``model`` from its inputs, ``batch`` images at once, to ``outputs``.

    Where the i-th of ``tensors`` is read, a LeakyRelu of the slope -(i + 1) stands for the
    rounding: tensors lose their names on the way to Paddle, and no model has such a slope.
    """
    result = deepcopy(model)
    graph = result.graph
    places = {name: i for i, name in enumerate(t.tensor for t in tensors)}
    nodes: list[onnx.NodeProto] = []

    def mark(name: str) -> None:
        if name in places:
            slope, target = -float(places[name] + 1), f"{name}{SUFFIX}"
            nodes.append(helper.make_node("LeakyRelu", [name], [target], target, alpha=slope))

    for value in graph.input:
        mark(value.name)
    needed = _needed(model, outputs)
    for node in graph.node:
        if not needed.isdisjoint(node.output):
            for index, name in enumerate(node.input):
                if name in places and node.name in tensors[places[name]].readers:
                    node.input[index] = f"{name}{SUFFIX}"
            nodes.append(node)
            for name in node.output:
                mark(name)
    replace_items(graph.node, nodes)
    floats = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in outputs]
    replace_items(graph.output, floats)
    drop_unread(graph)
    _batch(result, batch)
    return onnx.shape_inference.infer_shapes(result)


def unmarked(slope: float) -> int | None:
    """Which tensor the LeakyRelu of this slope stands for; None where it is the model's own."""
    return round(-slope) - 1 if slope <= -1.0 else None


def tensor_of(name: str) -> str:
    """The tensor of which ``name``, in a marked graph, is the rounded form or itself."""
    return name.removesuffix(SUFFIX)


def _needed(model: onnx.ModelProto, outputs: Collection[str]) -> set[str]:
    """The tensors that ``outputs`` are computed from."""
    needed = set(outputs)
    for node in reversed(model.graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
    return needed


def _batch(model: onnx.ModelProto, batch: int) -> None:
    """Let a graph of batch 1 take ``batch`` images at once."""
    del model.graph.value_info[:]
    graph = Graph(model)
    for value in model.graph.input:
        if value.name in graph.inputs:
            value.type.tensor_type.shape.dim[0].dim_value = batch
    for node in model.graph.node:
        if node.op_type == "Reshape" and node.input[1] in graph.weights:
            shape = numpy_helper.to_array(graph.weights[node.input[1]]).copy()
            if shape.size and shape[0] == 1:
                shape[0] = batch
                graph.replace_weight(node.input[1], shape)
