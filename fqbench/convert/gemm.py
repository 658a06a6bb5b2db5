"""Gemm in one form: a matrix product, and a bias where there is one.

ONNX's Gemm computes ``alpha * A @ B + beta * C``, with A and B transposed on request and C of any
shape that broadcasts. What reads the graph later then needs no factor of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.helper import make_node
from onnx.numpy_helper import from_array, to_array

from fqbench.graph.graph import attributes, drop_unread, replace_items


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
    replace_items(graph.node, nodes)
    drop_unread(graph)
    return model


def _turned(gemm: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """A Transpose of what ``gemm`` reads transposed."""
    if attributes(gemm).get("transA", 0):
        name = f"{gemm.output[0]}_rows"
        yield make_node("Transpose", gemm.input[:1], [name], name, perm=[1, 0])
        gemm.input[0] = name
    _drop(gemm, "transA")


def _folded(
    gemm: onnx.NodeProto, constants: dict[str, onnx.TensorProto]
) -> Iterator[onnx.TensorProto]:
    """The constants that ``gemm`` reads instead."""
    given = attributes(gemm)
    alpha, beta = given.get("alpha", 1.0), given.get("beta", 1.0)
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
            wanted = _for_each(wanted, weight.dims[0 if given.get("transB", 0) else 1])
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
    return from_array(values, name)


def _drop(node: onnx.NodeProto, name: str) -> None:
    replace_items(node.attribute, (a for a in node.attribute if a.name != name))
