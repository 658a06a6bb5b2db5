"""What kind of numbers an ONNX model computes with."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from fqbench.graph.external_data import stored_tensors

HALVES = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
"""Floats of 16 bits."""

QUANTIZING = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "DynamicQuantizeMatMul",
    "DynamicQuantizeLSTM",
    "ConvInteger",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "MatMulNBits",
    "QAttention",
    "QGemm",
)
"""Operators of quantized models, beside those that are called ``QLinear...``."""

NAMES = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.DOUBLE: "float64"}
"""What numpy calls a type, where that is not ONNX's own name in small letters."""


def quantized_by(model: onnx.ModelProto) -> tuple[str, ...]:
    """The operators of ``model`` that only a quantized model has, each kind once, sorted."""
    kinds = {node.op_type for node in _nodes(model)}
    return tuple(sorted(k for k in kinds if k in QUANTIZING or k.startswith("QLinear")))


def is_half(model: onnx.ModelProto) -> bool:
    """Whether ``model`` holds floats of 16 bits."""
    ends = (*model.graph.input, *model.graph.output)
    return any(tensor.data_type in HALVES for tensor in stored_tensors(model)) or any(
        value.type.tensor_type.elem_type in HALVES for value in ends
    )


def type_name(kind: int) -> str:
    """What numpy calls ONNX's type ``kind``."""
    return NAMES.get(kind) or onnx.TensorProto.DataType.Name(kind).lower()


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """All nodes, also those of functions and of graphs inside of them."""
    pending = [*model.graph.node, *(node for own in model.functions for node in own.node)]
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            pending.extend(attribute.g.node)
            pending.extend(inner for graph in attribute.graphs for inner in graph.node)
