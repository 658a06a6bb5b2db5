"""Convolutions that stay in float since Paddle would fold a sum into them and lose its values.

A convolution that a sum is folded into writes the kind of codes that is added to it. Where that is
the result of a Relu these are uint8, in which a sum that goes below zero ends there; and a ReLU6
behind the sum is not computed in integers at all.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import numpy_helper

from fqbench.graph.graph import Graph
from fqbench.quantize.record import Quantization
from fqbench.quantize.sharing import keeps_scale, rounded_inputs

LOSES_SIGN = "Paddle writes its sum with a value that is never negative as if that were not, either"
CLIPPED_SUM = "Paddle computes no ReLU6 of a sum in integers"

_SIX = 6.0


def quantized_inputs(graph: Graph, record: Quantization) -> dict[str, str]:
    """The convolutions that run in INT8, by name, and the tensor that each reads."""
    left = float_sums(graph)
    suited = (node for node in graph.convolutions() if node.name not in left)
    return rounded_inputs(graph, suited, record)


def float_sums(graph: Graph) -> dict[str, str]:
    """The convolutions, by name, that stay in float for the sum that reads them, and why."""
    convolutions = {node.output[0]: node.name for node in graph.convolutions()}
    found = {}
    for node in graph.model.graph.node:
        if node.op_type != "Add" or not graph.weights.keys().isdisjoint(node.input):
            continue
        folded = [convolutions[name] for name in node.input if name in convolutions]
        reason = _reason(graph, node)
        if reason is not None:
            found.update(dict.fromkeys(folded, reason))
    return found


def _reason(graph: Graph, add: onnx.NodeProto) -> str | None:
    behind = graph.result(add)
    activation = graph.producer[behind] if behind != add.output[0] else None
    ends = None if activation is None else _ends(graph, activation)
    if ends == (0.0, _SIX):
        return CLIPPED_SUM
    if ends == (0.0, np.inf) or not any(_unsigned(graph, name) for name in add.input):
        return None
    return LOSES_SIGN


def _unsigned(graph: Graph, name: str) -> bool:
    """Whether ``name`` holds uint8 codes: of a Relu or a ReLU6, also where these are moved."""
    node = graph.producer.get(name)
    while node is not None and (keeps_scale(node) or node.op_type in _AVERAGES):
        node = graph.producer.get(node.input[0])
    return node is not None and _ends(graph, node) in ((0.0, np.inf), (0.0, _SIX))


_AVERAGES = ("AveragePool", "GlobalAveragePool")


def _ends(graph: Graph, node: onnx.NodeProto) -> tuple[float, float] | None:
    """What the activation ``node`` clips at; None where it is none, or computes its ends."""
    if node.op_type == "Relu":
        return 0.0, np.inf
    if node.op_type != "Clip" or not all(n in graph.weights for n in node.input[1:] if n):
        return None
    low, high = _values(graph, node.input[1:], (-np.inf, np.inf))
    return low, high


def _values(graph: Graph, names: Iterable[str], missing: tuple[float, float]) -> list[float]:
    given = [*names, "", ""]
    return [
        float(numpy_helper.to_array(graph.weights[name]).item()) if name else otherwise
        for name, otherwise in zip(given, missing, strict=False)
    ]
