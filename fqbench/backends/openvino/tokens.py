"""Fully connected layers of tokens as OpenVINO fuses them: without reshapes around them.

The canonical graph reads tokens as rows of a matrix. OpenVINO's kernel reads any number of axes,
and computes what follows (bias, activation, residual sum) only where no reshape lies between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from fqbench.graph.graph import OPEN, Graph, add_constant, attributes, replace_items


@dataclass(frozen=True)
class TokenLayer:
    """A Gemm between reshapes ``before`` and ``behind`` it, all by name.

    ``shape``: that of what it reads as tokens, ``OPEN`` for a size that is. ``folds``,
    ``unfolds``: whether the reshape before makes rows of these and does nothing else, and the one
    behind tokens of rows.
    """

    layer: str
    before: str
    behind: str
    shape: tuple[int, ...]
    folds: bool
    unfolds: bool


def token_layers(graph: Graph) -> list[TokenLayer]:
    """The layers of ``graph`` that tokens become rows for, or whose rows become tokens again."""
    found = []
    for layer in graph.layers():
        if layer.op_type != "Gemm" or attributes(layer).get("transB", 0):
            continue
        before, behind = graph.producer.get(layer.input[0]), graph.consumers[layer.output[0]]
        if before is None or len(behind) != 1 or layer.output[0] in graph.outputs:
            continue
        if before.op_type == behind[0].op_type == "Reshape":
            inputs, outputs = graph.weights[layer.input[1]].dims
            read = _tokens(graph, before.input[0], inputs)
            written = _tokens(graph, behind[0].output[0], outputs)
            lead = read or written
            if lead:
                ends = (before.name, behind[0].name)
                whole = read is not None, written == lead
                found.append(TokenLayer(layer.name, *ends, (*lead, inputs), *whole))
    return found


def _tokens(graph: Graph, name: str, channels: int) -> tuple[int, ...] | None:
    """All sizes but the last of what is tokens of ``channels``; None where it is none, or where
    more than one size is open."""
    shape = graph.sizes(name)
    if shape is None or len(shape) < 3 or shape[-1] != channels or shape.count(OPEN) > 1:
        return None
    return shape[:-1]


def with_tokens(model: onnx.ModelProto, layers: Sequence[TokenLayer]) -> onnx.ModelProto:
    """``model``, a form of the graph of ``layers``, with these as products of tokens."""
    result = deepcopy(model)
    nodes = {node.name: node for node in result.graph.node}
    made: dict[str, list[onnx.NodeProto]] = {}
    changed: set[str] = set()
    for each in layers:
        layer, before, behind = (nodes[n] for n in (each.layer, each.before, each.behind))
        if layer.input[0] != before.output[0]:
            continue  # Something else stands between them now.
        source, target = before.input[0], layer.output[0]
        made[each.layer] = []
        if not each.folds:
            source = f"{layer.name}__tokens"
            sizes = add_constant(result.graph, f"{source}__shape", np.array(each.shape, np.int64))
            made[each.layer].append(
                helper.make_node("Reshape", [before.input[0], sizes], [source], source)
            )
        if each.unfolds:
            target, made[each.behind] = behind.output[0], []
        made[each.layer] += _product(layer, source, target)
        changed.add(layer.output[0])
    kept = [new for node in result.graph.node for new in made.get(node.name, [node])]
    read = {name for node in kept for name in node.input} | {v.name for v in result.graph.output}
    unread = {each.before for each in layers if read.isdisjoint(nodes[each.before].output)}
    replace_items(result.graph.node, (node for node in kept if node.name not in unread))
    known = (value for value in result.graph.value_info if value.name not in changed)
    replace_items(result.graph.value_info, known)
    return result


def _product(layer: onnx.NodeProto, source: str, target: str) -> Iterator[onnx.NodeProto]:
    """``layer`` as a product of ``source`` that writes ``target``, and the sum of its bias."""
    weight, *bias = layer.input[1:]
    product = f"{target}__product" if bias else target
    yield helper.make_node("MatMul", [source, weight], [product], layer.name)
    if bias:
        yield helper.make_node("Add", [product, *bias], [target], f"{layer.name}__bias_added")
