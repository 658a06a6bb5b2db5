"""How much a model computes: the multiply-adds of its convolutions and matrix products."""

from __future__ import annotations

import numpy as np
import onnx


def multiply_adds(model: onnx.ModelProto) -> int:
    """Multiply-adds of one inference. A layer whose shapes are not known counts as none."""
    graph = model.graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    shapes.update({tensor.name: list(tensor.dims) for tensor in graph.initializer})
    return sum(_of(node, shapes) for node in graph.node)


def _of(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> int:
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    left, right, result = (shapes.get(name) for name in (*node.input[:2], node.output[0]))
    if left is None or right is None or result is None:
        return 0
    if node.op_type == "Conv":  # right: [channels out, channels in / groups, height, width]
        return int(np.prod(right[1:]) * np.prod(result))
    if node.op_type == "ConvTranspose":  # right: [channels in, channels out / groups, ...]
        return int(np.prod(right[1:]) * np.prod(left))
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return int(np.prod(result) * left[-2 if transposed else -1])
