"""How each activation of a graph is quantized for a runtime with uint8 activations."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from fqbench.backends.onnxruntime.rewrite import shuffles
from fqbench.backends.transposed import PARTS_SUFFIX
from fqbench.graph.graph import Graph
from fqbench.quantize import sharing
from fqbench.quantize.affine import UINT8_LEVELS, Affine, uint8_affine
from fqbench.quantize.algorithms import Range


def activation_affines(graph: Graph, ranges: Mapping[str, Range]) -> dict[str, Affine]:
    """Scale and zero point of every tensor that can have them, by tensor name.

    Results of operators that only move values take over their input's. A sigmoid needs no
    calibration: its results lie between 0 and 1.
    """

    def calibrated(name: str) -> dict[str, Affine]:
        known = name if name in ranges else name.removesuffix(PARTS_SUFFIX)
        if known not in ranges:
            return {}
        return {name: uint8_affine(ranges[known].low, ranges[known].high)}

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
    _share_with_parts(graph, affines)
    return affines


def _share_with_parts(graph: Graph, affines: dict[str, Affine]) -> None:
    """Give what only a concatenation reads its scale: copied then, instead of rounded again."""
    for node in reversed(graph.model.graph.node):
        if node.op_type != "Concat" or node.output[0] not in affines:
            continue
        for name in node.input:
            moved = _moved(graph, name)
            producer = graph.producer.get(moved[-1])
            bound = producer is None or producer.op_type == "Sigmoid" or keeps_scale(producer)
            alone = all(len(graph.consumers[m]) == 1 and m not in graph.outputs for m in moved)
            if name in affines and alone and not bound:
                affines.update(dict.fromkeys(moved, affines[node.output[0]]))


def _moved(graph: Graph, name: str) -> list[str]:
    """``name``, and the tensor of which it holds the same values where it is transposed."""
    producer = graph.producer.get(name)
    transposed = producer is not None and producer.op_type == "Transpose"
    return [name, str(producer.input[0])] if producer is not None and transposed else [name]


def keeps_scale(node: onnx.NodeProto) -> bool:
    """Whether the result of ``node`` holds values of its input only; so does a shuffle's."""
    return shuffles(node) or sharing.keeps_scale(node)
