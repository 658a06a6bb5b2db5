"""Models of 16-bit floats, in float32: what is stored is the same, what is computed more exact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx.numpy_helper import from_array, to_array

from fqbench.graph.external_data import stored_tensors
from fqbench.graph.kinds import HALVES, is_half

NAMING_A_TYPE = ("to", "dtype", "stash_type", "output_dtype")
"""Attributes whose value is a type, as of a Cast."""


def in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with float32 for floats of 16 bits, also of its inputs and outputs.

    The same object where it has none. What overflowed in 16 bits does not any more.
    """
    if not is_half(model) and not any(map(_named_half, _attributes(model))):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for tensor in stored_tensors(result):
        if tensor.data_type in HALVES:
            tensor.CopyFrom(from_array(to_array(tensor).astype(np.float32), tensor.name))
    for attribute in _attributes(result):
        if _named_half(attribute):
            attribute.i = onnx.TensorProto.FLOAT
    for graph in _graphs(result):
        for value in (*graph.input, *graph.output):
            if value.type.tensor_type.elem_type in HALVES:
                value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        del graph.value_info[:]
    _drop_casts(result)
    return result


def _drop_casts(model: onnx.ModelProto) -> None:
    """Take away the casts from float32 to float32, also those that write outputs."""
    known = onnx.shape_inference.infer_shapes(model).graph
    values = (*known.input, *known.value_info, *known.output)
    floats = {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    floats |= {t.name for t in known.initializer if t.data_type == onnx.TensorProto.FLOAT}
    for node in model.graph.node:
        to = next((a.i for a in node.attribute if a.name == "to"), None)
        if node.op_type == "Cast" and to == onnx.TensorProto.FLOAT and node.input[0] in floats:
            node.op_type = "Identity"  # which the optimizer takes away
            del node.attribute[:]


def _named_half(attribute: onnx.AttributeProto) -> bool:
    return attribute.name in NAMING_A_TYPE and attribute.i in HALVES


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The graph of ``model``, and all graphs inside of it."""
    pending = [model.graph]
    while pending:
        graph = pending.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                pending.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)


def _attributes(model: onnx.ModelProto) -> Iterator[onnx.AttributeProto]:
    for graph in _graphs(model):
        for node in graph.node:
            yield from node.attribute
    for own in model.functions:
        for node in own.node:
            yield from node.attribute
