"""Lowering for ONNX Runtime on a CPU: QDQ with uint8 activations and int8 weights per channel.

A tensor gets one quantize/dequantize pair where the operators that read it run in integers.
There is no pair between a convolution and the Relu or Clip behind it, so the runtime folds
convolution, bias and activation into one QLinearConv.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fqbench.lower.affine import Affine, int8_weight, int32_bias, representable_weight_amax
from fqbench.lower.ranges import activation_affines, keeps_scale
from fqbench.quantize.graph import Graph
from fqbench.quantize.record import Quantization

JOINING = ("Add", "Mul", "Concat", "Sigmoid", "GlobalAveragePool", "AveragePool", "LeakyRelu")
"""Operators with an integer kernel in ONNX Runtime, where all they read and write is quantized."""


@dataclass(frozen=True)
class Plan:
    """Which nodes run in integers (by name) and which tensors carry a quantize pair."""

    convolutions: frozenset[str]
    others: frozenset[str]
    tensors: frozenset[str]


def lower(model: onnx.ModelProto, quantization: Quantization) -> onnx.ModelProto:
    """Return the INT8 form of the canonical graph ``model``; ``model`` stays as it is."""
    graph = Graph(model)
    affines = activation_affines(graph, quantization.amax)
    plan = make_plan(graph, affines, quantization)
    return _Writer(graph, affines, plan, quantization).write()


def make_plan(graph: Graph, affines: dict[str, Affine], quantization: Quantization) -> Plan:
    """Choose the operators that run in integers. Pure: depends on the arguments only."""
    convolutions = {}
    tensors: set[str] = set()
    for node in graph.convolutions():
        ends = (node.input[0], graph.result(node))
        known = node.input[1] in quantization.weight_amax and all(e in affines for e in ends)
        if known and node.name not in quantization.float_layers:
            convolutions[node.name] = node
            tensors.update(ends)
    others = _grow(graph, affines, tensors)
    _prune(graph, convolutions, others, tensors)
    return Plan(frozenset(convolutions), frozenset(others), frozenset(tensors))


def _grow(graph: Graph, affines: dict[str, Affine], tensors: set[str]) -> dict[str, onnx.NodeProto]:
    """Add the operators all of whose inputs are quantized already, in the graph's order."""
    others: dict[str, onnx.NodeProto] = {}
    for node in graph.model.graph.node:
        data = node.input[:1] if keeps_scale(node) else node.input
        if not (node.op_type in JOINING or keeps_scale(node)):
            continue
        if all(n in tensors for n in data) and all(n in affines for n in node.output):
            others[node.name] = node
            tensors.update(node.output)
    return others


def _prune(
    graph: Graph,
    convolutions: dict[str, onnx.NodeProto],
    others: dict[str, onnx.NodeProto],
    tensors: set[str],
) -> None:
    """Drop operators whose integer result only float operators read: a pair for nothing."""
    for node in reversed(graph.model.graph.node):
        if node.name not in others:
            continue
        readers = [reader for name in node.output for reader in graph.consumers[name]]
        if not any(r.name in convolutions or r.name in others for r in readers):
            del others[node.name]
            tensors.difference_update(node.output)


class _Writer:
    """Writes the planned pairs into a copy of the graph."""

    def __init__(
        self, graph: Graph, affines: dict[str, Affine], plan: Plan, quantization: Quantization
    ) -> None:
        self._graph, self._affines, self._plan = graph, affines, plan
        self._quantization = quantization
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._nodes: list[onnx.NodeProto] = []

    def write(self) -> onnx.ModelProto:
        result = onnx.ModelProto()
        result.CopyFrom(self._graph.model)
        for name in self._graph.inputs:
            if name in self._plan.tensors:
                self._pair(name, name, f"{name}__dequantized")
        for node in result.graph.node:
            self._node(node)
        del result.graph.node[:]
        result.graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        kept = [t for t in result.graph.initializer if t.name in used]
        del result.graph.initializer[:]
        result.graph.initializer.extend([*kept, *self._initializers.values()])
        del result.graph.value_info[:]
        onnx.checker.check_model(result)
        return result

    def _node(self, node: onnx.NodeProto) -> None:
        integer = node.name in self._plan.convolutions or node.name in self._plan.others
        folds = self._folds(node)
        source = node.input[0] if node.input else ""
        if integer:
            for index, name in enumerate(node.input):
                if self._reads_own_pair(name):
                    node.input[index] = f"{name}__dequantized"
        if node.name in self._plan.convolutions:
            self._quantize_weights(node, self._affines[source].scale)
        self._nodes.append(node)
        for index, name in enumerate(list(node.output)):
            if name not in self._plan.tensors:
                continue
            if integer or folds:
                # The name goes to the dequantized tensor, so that every reader finds it.
                node.output[index] = f"{name}__float"
                self._pair(name, f"{name}__float", name)
            else:
                self._pair(name, name, f"{name}__dequantized")

    def _folds(self, node: onnx.NodeProto) -> bool:
        """Whether ``node`` is the activation that a planned convolution folds in."""
        producer = self._graph.producer.get(node.input[0]) if node.input else None
        return (
            producer is not None
            and producer.name in self._plan.convolutions
            and self._graph.result(producer) in node.output
        )

    def _reads_own_pair(self, name: str) -> bool:
        """Whether ``name`` stays float for float readers, with a pair for integer readers."""
        if name not in self._plan.tensors:
            return False
        producer = self._graph.producer.get(name)
        if producer is None:
            return True
        planned = producer.name in self._plan.convolutions or producer.name in self._plan.others
        return not (planned or self._folds(producer))

    def _pair(self, name: str, source: str, target: str) -> None:
        affine = self._affines[name]
        parameters = [
            self._add(f"{name}__scale", np.float32(affine.scale)),
            self._add(f"{name}__zero_point", np.uint8(affine.zero_point)),
        ]
        code = f"{name}__quantized"
        self._nodes.append(
            helper.make_node("QuantizeLinear", [source, *parameters], [code], f"{name}__q")
        )
        self._nodes.append(
            helper.make_node("DequantizeLinear", [code, *parameters], [target], f"{name}__dq")
        )

    def _quantize_weights(self, node: onnx.NodeProto, input_scale: float) -> None:
        name = node.input[1]
        weight = numpy_helper.to_array(self._graph.weights[name])
        bias = self._graph.bias(node)
        limits = representable_weight_amax(
            self._quantization.weight_amax[name], 0.0 if bias is None else bias, input_scale
        )
        codes, scales = int8_weight(weight, limits)
        node.input[1] = self._dequantized(f"{node.name}__weight", codes, scales)
        if bias is not None:
            bias_codes, bias_scales = int32_bias(bias, input_scale, scales)
            node.input[2] = self._dequantized(f"{node.name}__bias", bias_codes, bias_scales)

    def _dequantized(
        self, name: str, codes: NDArray[np.generic], scales: NDArray[np.float32]
    ) -> str:
        """Add a constant of integer codes and its per-channel DequantizeLinear."""
        inputs = [
            self._add(f"{name}__codes", codes),
            self._add(f"{name}__scale", scales),
            self._add(f"{name}__zero_point", np.zeros(scales.shape, codes.dtype)),
        ]
        self._nodes.append(
            helper.make_node("DequantizeLinear", inputs, [name], f"{name}__dq", axis=0)
        )
        return name

    def _add(self, name: str, value: NDArray[np.generic] | np.generic) -> str:
        self._initializers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name


def quantized_convolutions(model: onnx.ModelProto) -> int:
    """How many convolutions of a lowered graph read and write integers."""
    graph = Graph(model)
    return sum(
        1
        for node in model.graph.node
        if node.op_type == "Conv"
        and all(
            name in graph.producer and graph.producer[name].op_type == "DequantizeLinear"
            for name in node.input[:2]
        )
    )
