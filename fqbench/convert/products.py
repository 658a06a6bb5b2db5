"""Matrix products by a constant as layers: a Gemm of rows, or a convolution of 1 x 1.

Most files write a fully connected layer of tokens as a MatMul, and its bias as an Add. In one form,
everything that reads the graph later finds weight and bias where other layers have theirs::

    x [.., k] @ W [k, n] + b [n]        Reshape [rows, k], Gemm by W and b, Reshape [.., n]
    W [m, k] @ x [.., k, n] + b [m, 1]  Reshape [.., k, n, 1], Conv by W and b, Reshape [.., m, n]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.helper import make_node
from onnx.numpy_helper import to_array

from fqbench.graph.graph import OPEN, Graph, add_constant, drop_unread, replace_items

Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Layer:
    """A layer ``kind`` that computes ``target`` of shape ``written`` from ``source``.

    ``read``: the shape that it reads the source in, ``raw``: that of what it computes from it.
    ``weight``: the name of the constant that is multiplied by, and its value as the layer has it.
    ``bias`` [channels]: what is added, None for nothing.
    """

    kind: str
    name: str
    source: str
    read: Shape
    raw: Shape
    target: str
    written: Shape
    weight: tuple[str, NDArray[np.float32]]
    bias: NDArray[np.float32] | None


def products_as_layers(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with each MatMul by a constant matrix as a layer; the same function.

    Shapes must be known but for one size: products of others stay as they are, as do those of
    vectors. A weight that several products read stays one constant.
    """
    result = onnx.shape_inference.infer_shapes(model)
    graph = Graph(result)
    nodes: list[onnx.NodeProto] = []
    written: set[str] = set()
    constants = set(graph.weights)
    for node in result.graph.node:
        layer = _layer(graph, node)
        if layer is not None:
            nodes.extend(_nodes(graph, layer, constants))
            written.add(layer.target)
        elif written.isdisjoint(node.output):  # Else it added the bias of a layer.
            nodes.append(node)
    replace_items(result.graph.node, nodes)
    drop_unread(result.graph)
    return result


def _layer(graph: Graph, node: onnx.NodeProto) -> _Layer | None:
    """What ``node`` is as a layer; None where it multiplies by no constant matrix."""
    if node.op_type != "MatMul" or node.domain not in ("", "ai.onnx"):
        return None
    constant = [name in graph.weights for name in node.input]
    if constant.count(True) != 1:
        return None
    right = constant[1]
    source, name = node.input if right else reversed(node.input)
    shape, weight = graph.sizes(source), _matrix(graph, name)
    if weight is None or shape is None or len(shape) < max(2, len(graph.weights[name].dims)):
        return None
    if shape.count(OPEN) > 1 or shape[-1 if right else -2] == OPEN:
        return None
    channels = weight.shape[1 if right else 0]
    target, bias = _with_bias(graph, node, channels, -1 if right else -2)
    if right:
        rows = _count(shape[:-1])
        return _Layer(
            "Gemm",
            node.name or target,
            source,
            (rows, shape[-1]),
            (rows, channels),
            target,
            (*shape[:-1], channels),
            (name, weight),
            bias,
        )
    images, places = _count(shape[:-2]), shape[-1]
    return _Layer(
        "Conv",
        node.name or target,
        source,
        (images, shape[-2], places, 1),
        (images, channels, places, 1),
        target,
        (*shape[:-2], channels, places),
        (name, weight[:, :, None, None]),
        bias,
    )


def _count(sizes: Shape) -> int:
    """How many there are; open where one of ``sizes`` is."""
    return OPEN if OPEN in sizes else prod(sizes)


def _matrix(graph: Graph, name: str) -> NDArray[np.float32] | None:
    """The constant ``name`` as a matrix of float32; None where it is none, or several."""
    tensor = graph.weights[name]
    *many, rows, columns = (1, *tensor.dims) if len(tensor.dims) > 1 else (2, 0, 0)
    if prod(many) != 1 or tensor.data_type != onnx.TensorProto.FLOAT:
        return None
    return np.asarray(to_array(tensor), np.float32).reshape(rows, columns)


def _with_bias(
    graph: Graph, node: onnx.NodeProto, channels: int, axis: int
) -> tuple[str, NDArray[np.float32] | None]:
    """What ``node`` and the Add of its bias write, and the bias; itself where there is none.

    ``axis``: of the channels, counted from the last.
    """
    target = str(node.output[0])
    readers = graph.consumers[target]
    if target in graph.outputs or len(readers) != 1 or readers[0].op_type != "Add":
        return target, None
    (add,) = readers
    other = add.input[1 - list(add.input).index(target)]
    if other not in graph.weights or graph.sizes(add.output[0]) != graph.sizes(target):
        return target, None
    bias = np.asarray(to_array(graph.weights[other]), np.float32)
    along = (1,) * (-axis - 1)
    if bias.size == channels and bias.shape[bias.ndim + axis :] == (channels, *along):
        return str(add.output[0]), bias.reshape(-1)
    return target, None


def _nodes(graph: Graph, layer: _Layer, constants: set[str]) -> Iterator[onnx.NodeProto]:
    """The operators that compute ``layer``; ``constants``: the names of those that are stored."""

    def stored(name: str, value: NDArray[np.generic]) -> str:
        if name not in constants:
            constants.add(add_constant(graph.model.graph, name, value))
        return name

    def shaped(name: str, shape: Shape) -> str:
        return stored(f"{name}_shape", np.array(shape, np.int64))

    name, weight = layer.weight
    same = tuple(graph.weights[name].dims) == weight.shape
    parameters = [name if same else stored(f"{name}_of_{layer.kind}", weight)]
    if layer.bias is not None:
        parameters.append(stored(f"{layer.target}_bias", layer.bias))
    source, result = layer.source, layer.target
    if graph.sizes(source) != layer.read:
        source = f"{layer.target}_rows"
        yield make_node("Reshape", [layer.source, shaped(source, layer.read)], [source], source)
    if layer.written != layer.raw:
        result = f"{layer.target}_product"
    form = {"kernel_shape": [1, 1]} if layer.kind == "Conv" else {}
    yield make_node(layer.kind, [source, *parameters], [result], layer.name, **form)
    if result != layer.target:
        shape = shaped(result, layer.written)
        yield make_node("Reshape", [result, shape], [layer.target], f"{result}_tokens")
