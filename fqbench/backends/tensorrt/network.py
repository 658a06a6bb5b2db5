"""An ONNX model as TensorRT's network, in which each tensor has the type that the model gives it.

A model that TensorRT does not take is refused by the name of the operator. What the parser would
take and compute otherwise than it is meant is refused before it: uint8 codes become int8 ones, and
half of their range is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, numpy_helper

from fqbench.backends.tensorrt.library import Library
from fqbench.backends.tensorrt.log import last_errors, short
from fqbench.errors import StepError

CODES = ("INT8", "INT4", "FLOAT8E4M3FN", "FLOAT4E2M1")
"""Types that TensorRT quantizes to, as ONNX names them."""

NAME_SHOWN = 80
LOWER = "lower the model for tensorrt"


def parse(module: Any, library: Library, builder: Any, log: Any, model: bytes) -> Any:
    """The network of ``model``, an ONNX file's bytes. Raises StepError naming the operator."""
    refuse(library, model)
    network = builder.create_network(_strongly_typed(module))
    parser = module.OnnxParser(network, log)
    if not parser.parse(model):
        raise StepError(_refusal(library, parser, log))
    return network


def layer_names(graph: onnx.GraphProto) -> list[str]:
    """What the parser calls the convolutions and fully connected layers of ``graph``."""
    return [
        node.name or f"node_of_{node.output[0]}"
        for node in graph.node
        if node.op_type in ("Conv", "Gemm")
    ]


def refuse(library: Library, model: bytes) -> None:
    """Raise StepError for a model whose codes the ``library`` does not take."""
    try:
        graph = onnx.load_model_from_string(model).graph
    except DecodeError as error:
        raise StepError(
            f"{library.name} is given what is no ONNX model: {short(str(error))}"
        ) from (error)
    found = list(_foreign_codes(graph))
    if found:
        node, reason = found[0]
        others = f" ({len(found) - 1} more nodes of it are alike)" if len(found) > 1 else ""
        raise StepError(
            f"{_named(node.op_type, node.name or node.output[0])} {reason}: {LOWER}{others}"
        )


def _strongly_typed(module: Any) -> int:
    """The flag of a strongly typed network; from TensorRT 11 on there is no other and no flag."""
    flag = getattr(module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _foreign_codes(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, str]]:
    """Nodes with codes that TensorRT does not compute with, and what these are."""
    constants = _constants(graph)
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        # Where there is no zero point, the codes to read tell their type; those to write are uint8.
        named = node.input[2] if len(node.input) > 2 else ""
        teller = named or (node.input[0] if node.op_type == "DequantizeLinear" else "")
        zero = constants.get(teller)
        kind = _kind(node, zero, teller)
        if kind is None or kind in CODES:
            if named and zero is not None and np.any(numpy_helper.to_array(zero)):
                yield node, "has a zero point that is not 0, where TensorRT's codes are symmetric"
        elif kind == "INT32":
            yield node, "has int32 codes, and TensorRT takes biases in float"
        else:
            yield node, f"has {kind.lower()} codes, and TensorRT has int8 codes only"


def _kind(node: onnx.NodeProto, teller: onnx.TensorProto | None, name: str) -> str | None:
    """Type of a node's codes as ONNX names it; None where only the parser will know."""
    if teller is not None:
        return str(TensorProto.DataType.Name(teller.data_type))
    if node.op_type == "QuantizeLinear" and not name:
        chosen = next((a.i for a in node.attribute if a.name == "output_dtype" and a.i), None)
        return str(TensorProto.DataType.Name(chosen or TensorProto.UINT8))
    return None


def _constants(graph: onnx.GraphProto) -> Mapping[str, onnx.TensorProto]:
    """The tensors of ``graph`` that are known, by name."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            found.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
    return found


def _refusal(library: Library, parser: Any, log: Any) -> str:
    """What the parser does not take, in our words, from its first error."""
    if parser.num_errors == 0:
        return f"{library.name} does not take the model: {last_errors(log.errors)}"
    error = parser.get_error(0)
    operator = _text(error, "node_operator")
    reason = short(_text(error, "desc"))
    if not operator:
        return f"{library.name} does not take the model: {reason}"
    name = _text(error, "node_name") or f"number {error.node()}"
    return (
        f"{_named(operator, name)} is not taken by {library.name} ({reason}): run the model on"
        " another backend, or write it without this operator"
    )


def _text(error: Any, field: str) -> str:
    """A text of a parser's error; empty where this version has none."""
    found = getattr(error, field, None)
    return str(found()) if found is not None else ""


def _named(operator: str, name: str) -> str:
    return f"{short(operator, NAME_SHOWN)} {short(name, NAME_SHOWN)!r}"
