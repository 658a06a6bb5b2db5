"""An ONNX graph: its layers, tensors and shapes, and what every rewriting does to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

ACTIVATIONS_THAT_FUSE = ("Relu", "Clip")
"""Activations that a runtime folds into the convolution before them."""

Number = TypeVar("Number", bound=np.generic)

WEIGHTED = ("Conv", "Gemm", "MatMul", "ConvTranspose")


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of ``node`` that are set, by name.

    Of what type each is, its operator's definition says; texts are bytes.
    """
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def replace_items(field: Any, items: Iterable[Any]) -> None:
    """Let a repeated ``field``, as of nodes, hold ``items``, which may be some of its own."""
    kept = list(items)
    del field[:]
    field.extend(kept)


def add_constant(graph: onnx.GraphProto, name: str, value: NDArray[Any] | np.generic) -> str:
    """Append a constant of the type of ``value``; return its ``name``."""
    graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return name


def drop_unread(graph: onnx.GraphProto) -> None:
    """Drop the constants that nothing reads."""
    read = {*_read(graph), *(value.name for value in (*graph.input, *graph.output))}
    replace_items(graph.initializer, (t for t in graph.initializer if t.name in read))


def _read(graph: onnx.GraphProto) -> Iterator[str]:
    """Names that nodes of ``graph`` and of the graphs inside of it read."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _read(attribute.g)


def open_sizes(model: onnx.ModelProto) -> list[str]:
    """What ``model`` calls the sizes of its inputs that it leaves open."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = (value for value in model.graph.input if value.name not in weights)
    dims = (dim for value in inputs for dim in value.type.tensor_type.shape.dim)
    return [dim.dim_param or "size" for dim in dims if dim.dim_value <= 0]


def of_shape(model: onnx.ModelProto, shape: Sequence[int]) -> onnx.ModelProto:
    """``model`` with open sizes of its image as ``shape`` has them; itself where it has none."""
    if not open_sizes(model):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for value in result.graph.input:
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(dims, shape, strict=False):
            if dim.dim_param and len(dims) == len(shape):
                dim.dim_value = size
    del result.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(result, data_prop=True)


OPEN = -1
"""A size that is not known; also what Reshape calls the one that it finds itself."""


class Graph:
    """Producers, consumers and weights of an ONNX graph, by tensor name."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self.inputs = [v.name for v in model.graph.input if v.name not in self.weights]
        self.outputs = [value.name for value in model.graph.output]
        described = (*model.graph.input, *model.graph.value_info, *model.graph.output)
        self._values = {value.name: value for value in described}
        self.producer = {name: node for node in model.graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in dict.fromkeys(node.input):
                self.consumers[name].append(node)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Shape of a tensor; None where the graph does not give it or leaves a size free."""
        sizes = self.sizes(name)
        return None if sizes is None or OPEN in sizes else sizes

    def sizes(self, name: str) -> tuple[int, ...] | None:
        """Sizes of a tensor, ``OPEN`` for each that the graph leaves free; None where it says
        nothing of them."""
        value = self._values.get(name)
        if value is None or not value.type.tensor_type.HasField("shape"):
            return None
        return tuple(dim.dim_value or OPEN for dim in value.type.tensor_type.shape.dim)

    def convolutions(self) -> list[onnx.NodeProto]:
        """Convolutions with constant weights and bias, in the order of the graph."""
        return [node for node in self.layers() if node.op_type == "Conv"]

    def layers(self) -> list[onnx.NodeProto]:
        """Convolutions and fully connected layers with constant weights, in the graph's order."""
        return [
            node
            for node in self.model.graph.node
            if node.op_type in ("Conv", "Gemm") and all(n in self.weights for n in node.input[1:])
        ]

    def products(self) -> list[onnx.NodeProto]:
        """Matrix products of two tensors that are computed, as those of attention."""
        return [
            node
            for node in self.model.graph.node
            if node.op_type == "MatMul" and self.weights.keys().isdisjoint(node.input)
        ]

    def weight(self, layer: onnx.NodeProto) -> NDArray[np.float32]:
        """Weight of a layer, output channels first."""
        weight = np.asarray(numpy_helper.to_array(self.weights[layer.input[1]]), np.float32)
        return self.as_stored(layer, weight)

    def replace_weight(self, name: str, value: NDArray[np.generic]) -> None:
        """Let the constant ``name`` have another value."""
        self.weights[name].CopyFrom(numpy_helper.from_array(value, name))

    def as_stored(self, layer: onnx.NodeProto, weight: NDArray[Number]) -> NDArray[Number]:
        """A weight with output channels first in the order in which ``layer`` stores it."""
        return weight if self.channel_axis(layer) == 0 else weight.T

    def channel_axis(self, layer: onnx.NodeProto) -> int:
        """The axis of the output channels in a weight as ``layer`` stores it."""
        transposed = any(a.name == "transB" and a.i for a in layer.attribute)
        return 1 if layer.op_type == "Gemm" and not transposed else 0

    def bias(self, layer: onnx.NodeProto) -> NDArray[np.float32] | None:
        """Bias [channels] of a layer; None where it has none."""
        if len(layer.input) < 3:
            return None
        return np.asarray(numpy_helper.to_array(self.weights[layer.input[2]]), np.float32)

    def result(self, layer: onnx.NodeProto) -> str:
        """The tensor a fused kernel of ``layer`` writes: after its Relu or Clip if any."""
        name = str(layer.output[0])
        followers = self.consumers[name]
        alone = name not in self.outputs and len(followers) == 1
        if alone and followers[0].op_type in ACTIVATIONS_THAT_FUSE:
            return str(followers[0].output[0])
        return name

    def is_depthwise(self, layer: onnx.NodeProto) -> bool:
        """Whether ``layer`` is a convolution of each channel by itself."""
        groups = next((a.i for a in layer.attribute if a.name == "group"), 1)
        return bool(layer.op_type == "Conv" and 1 < groups == self.weights[layer.input[1]].dims[0])

    def gate(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """The Sigmoid of the SiLU that ``node`` ends, the Mul of x * sigmoid(x); else None."""
        if node.op_type != "Mul":
            return None
        for name, other in (node.input, reversed(node.input)):
            sigmoid = self.producer.get(name)
            if sigmoid is not None and sigmoid.op_type == "Sigmoid" and sigmoid.input[0] == other:
                return sigmoid
        return None

    def is_silu(self, node: onnx.NodeProto) -> bool:
        """Whether ``node`` is the Mul of x * sigmoid(x)."""
        return self.gate(node) is not None

    def is_linear_head(self, layer: onnx.NodeProto) -> bool:
        """Whether the raw result goes to an output of the model through no further layer.

        Such a tensor holds coordinates beside scores, or logits: eight bits with one scale for
        all of it lose what the decoder needs.
        """
        if self.result(layer) != layer.output[0]:
            return False
        pending, seen = [str(layer.output[0])], set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            for node in self.consumers[name]:
                if node.op_type in WEIGHTED:
                    return False
                pending.extend(node.output)
        return True
