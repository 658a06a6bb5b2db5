"""Gemm in one form: a matrix product, and a bias where there is one.

ONNX's Gemm computes ``alpha * A @ B + beta * C``, with A and B transposed on request and C of any
shape that broadcasts. What reads the graph later then needs no factor of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.helper import get_attribute_value, make_node
from onnx.numpy_helper import from_array, to_array


def normalize_gemms(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write factors into constant weights and biases, and ``transA`` as a Transpose, in place.

    A constant bias becomes one value for each output, where it broadcasts to that. So every Gemm
    all of whose parameters are constants has neither factors nor ``transA``; where one is not, its
    factor stays. Constants that others read, too, are copied. No input has an empty name.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Gemm" and node.domain in ("", "ai.onnx"):
            nodes.extend(_turned(node))
            graph.initializer.extend(_folded(node, constants))
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unread(graph)
    return model


def _turned(gemm: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """A Transpose of what ``gemm`` reads transposed."""
    if _attribute(gemm, "transA", 0):
        name = f"{gemm.output[0]}_rows"
        yield make_node("Transpose", gemm.input[:1], [name], name, perm=[1, 0])
        gemm.input[0] = name
    _drop(gemm, "transA")


def _folded(
    gemm: onnx.NodeProto, constants: dict[str, onnx.TensorProto]
) -> Iterator[onnx.TensorProto]:
    """The constants that ``gemm`` reads instead."""
    alpha, beta = (_attribute(gemm, name, 1.0) for name in ("alpha", "beta"))
    weight = constants.get(gemm.input[1])
    if weight is not None:
        _drop(gemm, "alpha")
        if alpha != 1.0:
            yield _instead(gemm, 1, _times(to_array(weight), alpha))
    if len(gemm.input) < 3:
        _drop(gemm, "beta")
    elif gemm.input[2] in constants:
        _drop(gemm, "beta")
        bias = to_array(constants[gemm.input[2]])
        wanted = _times(bias, beta)
        if weight is not None:
            transposed = _attribute(gemm, "transB", 0)
            wanted = _for_each(wanted, weight.dims[0 if transposed else 1])
        if beta != 1.0 or wanted.shape != bias.shape:
            yield _instead(gemm, 2, wanted)


def _times(values: NDArray[np.generic], factor: float) -> NDArray[np.generic]:
    return values if factor == 1.0 else (values.astype(np.float64) * factor).astype(values.dtype)


def _for_each(bias: NDArray[np.generic], outputs: int) -> NDArray[np.generic]:
    """``bias`` as one value for each of ``outputs``, unless rows of the result differ in it."""
    rows = bias.size // bias.shape[-1] if bias.ndim else 1
    return bias if rows > 1 else np.broadcast_to(bias.reshape(-1), (outputs,))


def _instead(gemm: onnx.NodeProto, index: int, values: NDArray[np.generic]) -> onnx.TensorProto:
    """A constant that ``gemm`` reads in place of its ``index``-th input."""
    name = f"{gemm.input[index]}_of_{gemm.output[0]}"
    gemm.input[index] = name
    return from_array(np.ascontiguousarray(values), name)


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    return next((get_attribute_value(a) for a in node.attribute if a.name == name), default)


def _drop(node: onnx.NodeProto, name: str) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Remove constants that nothing reads any more."""
    read = {*_read(graph), *(value.name for value in (*graph.input, *graph.output))}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _read(graph: onnx.GraphProto) -> Iterator[str]:
    """Names that nodes of ``graph`` and of the graphs inside of it read."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _read(attribute.g)
