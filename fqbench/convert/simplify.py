"""Operators of an ONNX graph in the simple form that optimizers and lowerings look for.

The result computes the same function; shapes must be known.
"""

from __future__ import annotations

import onnx
from onnx.helper import make_node
from onnx.numpy_helper import to_array

from fqbench.graph.graph import attributes, replace_items

SPATIAL = (2, 3)
"""Height and width of [n, c, h, w]."""


def simplify(model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
    """``model`` without reshapes that change nothing, and means over an image as poolings.

    Also returns whether anything changed: optimizers may find more to do then.
    """
    result = onnx.shape_inference.infer_shapes(model)
    graph = result.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }
    outputs = {value.name for value in graph.output}
    nodes: list[onnx.NodeProto] = []
    instead: dict[str, str] = {}
    changed = False
    for node in graph.node:
        node.input[:] = [instead.get(name, name) for name in node.input]
        if _changes_nothing(node, shapes) and node.output[0] not in outputs:
            instead[node.output[0]] = node.input[0]
        elif _is_mean_of_image(node, shapes, constants):
            nodes.append(make_node("GlobalAveragePool", node.input[:1], node.output, node.name))
        else:
            nodes.append(node)
            continue
        changed = True
    replace_items(graph.node, nodes)
    return result, changed


def _changes_nothing(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> bool:
    if node.op_type not in ("Reshape", "Flatten"):
        return False
    before, after = shapes.get(node.input[0]), shapes.get(node.output[0])
    return before is not None and before == after and all(before)


def _is_mean_of_image(
    node: onnx.NodeProto, shapes: dict[str, list[int]], constants: dict[str, onnx.TensorProto]
) -> bool:
    if node.op_type != "ReduceMean" or len(shapes.get(node.input[0], ())) != 4:
        return False
    given = attributes(node)
    axes = given.get("axes", [])
    if len(node.input) > 1 and node.input[1] in constants:
        axes = to_array(constants[node.input[1]]).tolist()
    return given.get("keepdims", 1) == 1 and tuple(sorted(axis % 4 for axis in axes)) == SPATIAL
