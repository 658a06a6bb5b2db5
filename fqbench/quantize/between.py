"""Operators between layers that stay in float on every backend, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import onnx

from fqbench.graph.graph import Graph

NORM, SOFTMAX, GELU, PRODUCT = "LayerNormalization", "Softmax", "GELU", "product of two activations"

_REASONS: Mapping[str, str] = {
    NORM: "it divides each row by a deviation that eight bits do not hold",
    SOFTMAX: "its exponential turns the steps of codes into factors",
    GELU: "runtimes have no integer kernel for it",
    PRODUCT: "both factors would be rounded in each inference, which takes the time that it saves",
}
_KINDS = {"LayerNormalization": NORM, "Softmax": SOFTMAX, "Gelu": GELU, "Erf": GELU}


def float_operators(model: onnx.ModelProto) -> dict[str, str]:
    """What an INT8 form ``model`` with quantize pairs computes in float between layers, and why.

    The keys are the number of operators and their kind, as "12 Softmax". A GELU written out is
    told by its Erf. A MatMul is one of two activations where neither factor
    is constant, as it is or behind a DequantizeLinear.
    """
    graph = Graph(model)
    found: Counter[str] = Counter()
    for node in model.graph.node:
        if node.op_type in _KINDS:
            found[_KINDS[node.op_type]] += 1
        elif node.op_type == "MatMul" and not any(_is_held(graph, name) for name in node.input):
            found[PRODUCT] += 1
    return {f"{count} {kind}": _REASONS[kind] for kind, count in found.items()}


def _is_held(graph: Graph, name: str) -> bool:
    """Whether ``name`` is a constant, or comes of codes."""
    producer = graph.producer.get(name)
    return name in graph.weights or (
        producer is not None and producer.op_type == "DequantizeLinear"
    )
