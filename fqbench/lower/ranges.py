"""How each activation of a graph is quantized for a runtime with uint8 activations."""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx

from fqbench.lower.affine import UINT8_LEVELS, Affine, uint8_affine
from fqbench.quantize.graph import Graph

SILU_MINIMUM = -0.27846455
"""Least value of x * sigmoid(x), at x = -1.2784645."""

SAME_SCALE = (
    "MaxPool",
    "Reshape",
    "Transpose",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Slice",
    "Split",
    "Resize",
)
"""Operators that only move or choose values: their result keeps the input's scale."""


def lower_bounds(graph: Graph) -> dict[str, float]:
    """Least value each tensor can have, as far as the operators tell; absent: not bounded."""
    bounds: dict[str, float] = {}
    for node in graph.model.graph.node:
        known = [bounds.get(name, -math.inf) for name in node.input]
        bound = -math.inf
        if node.op_type == "Relu":
            bound = max(0.0, known[0])
        elif node.op_type in ("Sigmoid", "HardSigmoid", "Softmax"):
            bound = 0.0
        elif node.op_type == "Clip" and len(node.input) > 1 and node.input[1] in graph.weights:
            minimum = float(onnx.numpy_helper.to_array(graph.weights[node.input[1]]).reshape(()))
            bound = max(minimum, known[0])
        elif is_silu(graph, node):
            bound = SILU_MINIMUM
        elif node.op_type == "Concat":
            bound = min(known)
        elif node.op_type in SAME_SCALE or node.op_type in ("GlobalAveragePool", "AveragePool"):
            bound = min(0.0, known[0]) if node.op_type == "AveragePool" else known[0]
        elif node.op_type == "Add":
            bound = sum(known)
        if bound > -math.inf:
            bounds.update(dict.fromkeys(node.output, bound))
    return bounds


def is_silu(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether ``node`` is the Mul of x * sigmoid(x)."""
    if node.op_type != "Mul":
        return False
    for gate, other in (node.input, reversed(node.input)):
        producer = graph.producer.get(gate)
        if producer is not None and producer.op_type == "Sigmoid" and producer.input[0] == other:
            return True
    return False


def activation_affines(graph: Graph, amax: Mapping[str, float]) -> dict[str, Affine]:
    """Scale and zero point of every tensor that can have them, by tensor name.

    Results of operators that only move values take over their input's. A sigmoid needs no
    calibration: its results lie between 0 and 1.
    """
    bounds = lower_bounds(graph)

    def calibrated(name: str) -> dict[str, Affine]:
        if name not in amax:
            return {}
        return {name: uint8_affine(amax[name], bounds.get(name, -math.inf))}

    affines: dict[str, Affine] = {}
    for name in graph.inputs:
        affines.update(calibrated(name))
    for node in graph.model.graph.node:
        if keeps_scale(node):
            if node.input[0] in affines:
                affines.update(dict.fromkeys(node.output, affines[node.input[0]]))
        elif node.op_type == "Sigmoid":
            affines[node.output[0]] = Affine(float(1.0 / UINT8_LEVELS), 0)
        else:
            for name in node.output:
                affines.update(calibrated(name))
    return affines


def keeps_scale(node: onnx.NodeProto) -> bool:
    """Whether the result of ``node`` holds values of its input only."""
    if node.op_type == "Resize":
        mode = next((a.s for a in node.attribute if a.name == "mode"), b"nearest")
        return bool(mode == b"nearest")
    return node.op_type in SAME_SCALE
