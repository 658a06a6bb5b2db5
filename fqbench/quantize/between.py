"""Operators between layers that stay in float on every backend, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping

import onnx

from fqbench.graph.graph import Graph

NORM, SOFTMAX, GELU, PRODUCT = "LayerNormalization", "Softmax", "GELU", "product of two activations"
TRANSPOSED, CONSTANTS = "transposed convolution", "product by constants"

_REASONS: Mapping[str, str] = {
    NORM: "it divides each row by a deviation that eight bits do not hold",
    SOFTMAX: "its exponential turns the steps of codes into factors",
    GELU: "runtimes have no integer kernel for it",
    PRODUCT: "both factors would be rounded in each inference, which takes the time that it saves",
    TRANSPOSED: "fqbench rounds none but those of each channel by itself",
    CONSTANTS: "it multiplies by several matrices, or more than one of its sizes is open",
}
_KINDS = {
    "ConvTranspose": TRANSPOSED,
    "LayerNormalization": NORM,
    "Softmax": SOFTMAX,
    "Gelu": GELU,
    "Erf": GELU,
}


def float_operators(model: onnx.ModelProto, layers: Container[str] = ()) -> dict[str, str]:
    """What an INT8 form ``model`` with quantize pairs computes in float between layers, and why.

    The keys are the number of operators and their kind, as "12 Softmax". A GELU written out is
    told by its Erf. A MatMul is one of two activations where neither factor
    is constant, as it is or behind a DequantizeLinear. ``layers``: names of the model's layers,
    some of which may be a MatMul in float.
    """
    graph = Graph(model)
    found: Counter[str] = Counter()
    for node in model.graph.node:
        if node.op_type in _KINDS:
            found[_KINDS[node.op_type]] += 1
        elif node.op_type == "MatMul" and not any(_is_held(graph, name) for name in node.input):
            found[PRODUCT] += 1
        elif node.op_type == "MatMul" and node.name not in layers:
            found[CONSTANTS] += any(name in graph.weights for name in node.input)
    return {f"{count} {kind}": _REASONS[kind] for kind, count in found.items() if count}


def _is_held(graph: Graph, name: str) -> bool:
    """Whether ``name`` is a constant, or comes of codes."""
    producer = graph.producer.get(name)
    return name in graph.weights or (
        producer is not None and producer.op_type == "DequantizeLinear"
    )
