"""Which operators of a graph run in integers on ONNX Runtime, and which tensors carry a pair."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

import onnx

from fqbench.backends.onnxruntime.ranges import keeps_scale
from fqbench.backends.onnxruntime.rewrite import is_surrogate_conv
from fqbench.backends.onnxruntime.silu import KIND
from fqbench.backends.transposed import is_enlarging, stands_for_transposed
from fqbench.graph.graph import Graph, attributes
from fqbench.graph.ordering import ordering
from fqbench.quantize.affine import Affine

JOINING = ("Add", "Mul", "Concat", "Sigmoid", "GlobalAveragePool", "AveragePool", "LeakyRelu", KIND)
"""Operators that read and write integers in ONNX Runtime, where all of that is quantized: by an
integer kernel, or the SiLU in float between them."""


@dataclass(frozen=True)
class Plan:
    """Which nodes run in integers (by name) and which tensors carry a quantize pair.

    ``convolutions`` read and write integers; ``heads`` read integers and write float: fully
    connected layers, whose readers mostly compute in float, and convolutions that write the
    model's raw output; ``others`` are the operators between them.
    """

    convolutions: frozenset[str]
    heads: frozenset[str]
    others: frozenset[str]
    tensors: frozenset[str]

    @property
    def integers(self) -> frozenset[str]:
        """The nodes that run in integers."""
        return self.convolutions | self.heads | self.others


def make_plan(graph: Graph, affines: Mapping[str, Affine], float_layers: Container[str]) -> Plan:
    """Choose the operators that run in integers. Pure: depends on the arguments only."""
    convolutions, products, heads = {}, {}, {}
    tensors: set[str] = set()
    exact = ordering(graph)
    for node in graph.layers():
        if node.name in float_layers or node.input[0] not in affines or is_surrogate_conv(node):
            continue
        if node.op_type == "Gemm":
            products[node.name] = node
            tensors.add(node.input[0])
        elif node.name in exact or graph.is_linear_head(node):
            if is_product(graph, node):
                heads[node.name] = node
        elif graph.result(node) in affines:
            convolutions[node.name] = node
            tensors.update((node.input[0], graph.result(node)))
    # A convolution alone does not pay for rounding its input: it waits for what others quantize.
    others = _grow(graph, affines, tensors, exact)
    heads = {name: node for name, node in heads.items() if node.input[0] in tensors} | products
    _prune(graph, {**convolutions, **heads}, others, tensors)
    return Plan(*map(frozenset, (convolutions, heads, others, tensors)))


def is_product(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether the convolution ``node`` is one matrix product."""
    found = attributes(node)
    return (
        list(graph.weights[node.input[1]].dims[2:]) == [1, 1]
        and found.get("group", 1) == 1
        and found.get("strides", [1, 1]) == [1, 1]
        and not any(found.get("pads", []))
        and graph.shape(node.input[0]) is not None
    )


def _grow(
    graph: Graph, affines: Mapping[str, Affine], tensors: set[str], exact: Container[str]
) -> dict[str, onnx.NodeProto]:
    """Add the operators all of whose inputs are quantized already, in the graph's order.

    None of the nodes ``exact``, by name.
    """
    others: dict[str, onnx.NodeProto] = {}
    for node in graph.model.graph.node:
        first = keeps_scale(node) or is_surrogate_conv(node) or is_enlarging(graph, node)
        if node.name in exact or not (first or node.op_type in JOINING):
            continue
        data = node.input[:1] if first else node.input
        results = integer_results(graph, node)
        if all(n in tensors for n in data) and all(n in affines for n in results):
            others[node.name] = node
            tensors.update(results)
    return others


def integer_results(graph: Graph, node: onnx.NodeProto) -> list[str]:
    """The tensors that ``node`` writes in integers."""
    return [graph.result(node)] if folds_activation(node) else list(node.output)


def folds_activation(node: onnx.NodeProto) -> bool:
    """Whether ``node``, no layer, computes the Relu behind it: a sum, a transposed convolution."""
    return node.op_type in ("Add", "ConvTranspose") or stands_for_transposed(node)


def _prune(
    graph: Graph,
    layers: Container[str],
    others: dict[str, onnx.NodeProto],
    tensors: set[str],
) -> None:
    """Drop operators whose integer result only float operators read: a pair for nothing."""
    for node in reversed(graph.model.graph.node):
        if node.name not in others:
            continue
        results = integer_results(graph, node)
        readers = [reader.name for name in results for reader in graph.consumers[name]]
        if not any(name in layers or name in others for name in readers):
            del others[node.name]
            tensors.difference_update(results)
