"""Lowering for ONNX Runtime on a CPU: QDQ with uint8 activations and int8 weights per channel.

A tensor gets one quantize/dequantize pair where the operators that read it run in integers.
There is no pair between a convolution and the Relu or Clip behind it, so the runtime folds
convolution, bias and activation into one QLinearConv.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fqbench.backends.lowering import Lowered, left_in_float
from fqbench.backends.onnxruntime.float_layers import float_layers
from fqbench.backends.onnxruntime.plan import Plan, folds_activation, make_plan
from fqbench.backends.onnxruntime.ranges import activation_affines
from fqbench.backends.onnxruntime.rewrite import SURROGATE_SUFFIX, is_surrogate_conv, rewrite
from fqbench.backends.onnxruntime.runtime import MODEL
from fqbench.backends.shuffles import unify_ranges, without_shuffles
from fqbench.graph.checking import check
from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph, drop_unread, replace_items
from fqbench.quantize.adapt import apply_rounded_weights
from fqbench.quantize.affine import Affine, int8_weight, int32_bias, representable_weight_amax
from fqbench.quantize.pairs import reads_integers
from fqbench.quantize.record import Quantization
from fqbench.quantize.roundings import Rounding, Roundings

UNSIGNED_ZERO = 128
"""Zero point of uint8 weights, by which they hold all int8 codes."""


def lower(
    model: onnx.ModelProto,
    quantization: Quantization,
    *,
    float_silu: bool = False,
    unsigned: Container[str] = (),
) -> onnx.ModelProto:
    """Return the INT8 form of the canonical graph ``model``; ``model`` stays as it is.

    ``float_silu``: whether SiLU is computed in float between integers, see ``silu``. ``unsigned``:
    layers whose weights are written as uint8: their kernels are slower, and saturate on no CPU.
    """
    return _lowered(model, quantization, float_silu, unsigned)[0]


def _lowered(
    model: onnx.ModelProto,
    quantization: Quantization,
    float_silu: bool,
    unsigned: Container[str],
) -> tuple[onnx.ModelProto, Graph, Plan]:
    """The INT8 form, the graph that it was made of, and what of that runs in integers."""
    # Once shuffles are gone, nothing tells any more whose ranges are one.
    quantization = replace(quantization, ranges=unify_ranges(Graph(model), quantization.ranges))
    _, _, plan = planned(model, quantization)
    source = apply_rounded_weights(model, quantization, plan.convolutions | plan.heads)
    source, orders = without_shuffles(source, plan.integers)
    quantization = quantization.reordered(orders)
    graph, affines, plan = planned(
        rewrite(source, plan.integers, float_silu=float_silu), quantization
    )
    return _Writer(graph, affines, plan, quantization, unsigned).write(), graph, plan


def lower_into(
    model: onnx.ModelProto,
    quantization: Quantization,
    folder: Path,
    *,
    feeds: Sequence[Feed],
    float_silu: bool,
    unsigned: frozenset[str],
) -> Lowered:
    """See ``fqbench.backends.lowering.Lower``."""
    lowered, graph, plan = _lowered(model, quantization, float_silu, unsigned)
    onnx.save(lowered, str(folder / MODEL))
    left = left_in_float(model, quantization, plan.integers, float_layers(graph, plan))
    return Lowered(lowered, *layer_counts(lowered), left)


def planned(
    model: onnx.ModelProto, quantization: Quantization
) -> tuple[Graph, dict[str, Affine], Plan]:
    """What of ``model`` runs in integers, and the scale and zero point of its tensors."""
    graph = Graph(model)
    affines = activation_affines(graph, unify_ranges(graph, quantization.ranges))
    return graph, affines, make_plan(graph, affines, quantization.float_layers)


def roundings(model: onnx.ModelProto, quantization: Quantization, *, float_silu: bool) -> Roundings:
    """Where a student rounds; see ``fqbench.quantize.roundings.FindRoundings``.

    Also what operators between layers write is rounded; all who read it read it so.
    """
    graph, affines, plan = planned(model, quantization)
    written = {
        name
        for node in model.graph.node
        if node.name in plan.convolutions | plan.others
        for name in (graph.result(node), *node.output)
    }
    floats = {gate.output[0] for n in model.graph.node if float_silu and (gate := graph.gate(n))}
    found = []
    for name in sorted(plan.tensors - floats):
        readers = {node.name for node in graph.consumers[name]}
        kept = readers if name in written else readers & plan.integers
        found.append(Rounding(name, affines[name], frozenset(kept)))
    return Roundings(tuple(found), plan.convolutions | plan.heads)


class _Writer:
    """Writes the planned pairs into a copy of the graph."""

    def __init__(
        self,
        graph: Graph,
        affines: dict[str, Affine],
        plan: Plan,
        quantization: Quantization,
        unsigned: Container[str],
    ) -> None:
        self._graph, self._affines, self._plan = graph, affines, plan
        self._quantization, self._unsigned = quantization, unsigned
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._nodes: list[onnx.NodeProto] = []

    def write(self) -> onnx.ModelProto:
        result = deepcopy(self._graph.model)
        for name in self._graph.inputs:
            if name in self._plan.tensors:
                self._pair(name, name, f"{name}__dequantized")
        for node in result.graph.node:
            self._node(node)
        replace_items(result.graph.node, _without_unread(self._nodes, result.graph.output))
        drop_unread(result.graph)
        result.graph.initializer.extend(self._initializers.values())
        del result.graph.value_info[:]
        check(result)
        return result

    def _node(self, node: onnx.NodeProto) -> None:
        if node.name in self._plan.heads:
            self._head(node)
            if node.output[0] in self._plan.tensors:
                self._pair(node.output[0], node.output[0], f"{node.output[0]}__dequantized")
            return
        convolution = node.name in self._plan.convolutions
        integer = convolution or node.name in self._plan.others
        folds = self._folds(node)
        source = node.input[0] if node.input else ""
        if integer:
            for index, name in enumerate(node.input):
                if self._reads_own_pair(name):
                    node.input[index] = f"{name}__dequantized"
        if convolution or (integer and is_surrogate_conv(node)):
            scale, weight = self._affines[source].scale, self._graph.weight(node)
            node.input[1:] = self._quantized_weights(node, scale, weight, 0)
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

    def _head(self, node: onnx.NodeProto) -> None:
        """A matrix product of integers with a result in float, which no Conv has."""
        source, target = node.input[0], node.output[0]
        weight = self._graph.weight(node)
        weight = weight.reshape(len(weight), -1)
        code, rows, product = f"{source}__quantized", f"{node.name}__rows", f"{node.name}__product"
        spatial = self._graph.shape(source) if node.op_type == "Conv" else None
        if spatial is not None:
            _, channels, height, width = spatial
            self._move("Transpose", code, f"{node.name}__last", perm=[0, 2, 3, 1])
            code = f"{node.name}__matrix"
            shape = self._add(f"{code}_shape", np.array([height * width, channels]))
            self._nodes.append(
                helper.make_node("Reshape", [f"{node.name}__last", shape], [code], code)
            )
        else:
            product = target
        parameters = [f"{source}__scale", f"{source}__zero_point"]
        self._nodes.append(
            helper.make_node("DequantizeLinear", [code, *parameters], [rows], f"{rows}__dq")
        )
        inputs = [rows, *self._quantized_weights(node, self._affines[source].scale, weight, 1)]
        self._nodes.append(helper.make_node("Gemm", inputs, [product], node.name))
        if spatial is not None:
            sizes = np.array([1, height, width, len(weight)])
            shape = self._add(f"{product}_shape", sizes)
            self._nodes.append(
                helper.make_node(
                    "Reshape", [product, shape], [f"{product}_last"], f"{product}_last"
                )
            )
            self._move("Transpose", f"{product}_last", target, perm=[0, 3, 1, 2])

    def _move(self, kind: str, source: str, target: str, **attributes: list[int]) -> None:
        self._nodes.append(
            helper.make_node(kind, [source], [target], f"{target}__moved", **attributes)
        )

    def _folds(self, node: onnx.NodeProto) -> bool:
        """Whether ``node`` is the activation that a planned operator folds in."""
        producer = self._graph.producer.get(node.input[0]) if node.input else None
        if producer is None or self._graph.result(producer) not in node.output:
            return False
        other = folds_activation(producer) and producer.name in self._plan.others
        return other or producer.name in self._plan.convolutions

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

    def _quantized_weights(
        self, node: onnx.NodeProto, input_scale: float, weight: NDArray[np.float32], axis: int
    ) -> list[str]:
        """Names of weight, output channels on ``axis``, and of the bias where there is one."""
        bias = self._graph.bias(node)
        largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        limits = representable_weight_amax(
            self._quantization.weight_amax.get(node.input[1], largest),
            0.0 if bias is None else bias,
            input_scale,
        )
        codes, scales = int8_weight(weight, limits)
        codes = np.ascontiguousarray(codes.T) if axis == 1 else codes
        suffix = SURROGATE_SUFFIX if is_surrogate_conv(node) else "__weight"
        stored: NDArray[np.generic] = codes
        if node.name in self._unsigned:
            stored = (codes.astype(np.int16) + UNSIGNED_ZERO).astype(np.uint8)
        names = [self._dequantized(f"{node.name}{suffix}", stored, scales, axis)]
        if bias is not None:
            bias_codes, bias_scales = int32_bias(bias, input_scale, scales)
            names.append(self._dequantized(f"{node.name}__bias", bias_codes, bias_scales, 0))
        return names

    def _dequantized(
        self, name: str, codes: NDArray[np.generic], scales: NDArray[np.float32], axis: int
    ) -> str:
        """Add a constant of integer codes and its per-channel DequantizeLinear."""
        inputs = [
            self._add(f"{name}__codes", codes),
            self._add(f"{name}__scale", scales),
            self._add(
                f"{name}__zero_point",
                np.full(scales.shape, UNSIGNED_ZERO if codes.dtype == np.uint8 else 0, codes.dtype),
            ),
        ]
        self._nodes.append(
            helper.make_node("DequantizeLinear", inputs, [name], f"{name}__dq", axis=axis)
        )
        return name

    def _add(self, name: str, value: NDArray[np.generic] | np.generic) -> str:
        self._initializers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name


def _without_unread(
    nodes: Iterable[onnx.NodeProto], outputs: Iterable[onnx.ValueInfoProto]
) -> list[onnx.NodeProto]:
    """``nodes`` without values of codes that nothing reads, which ONNX Runtime would compute."""
    known = list(nodes)
    read = {name for node in known for name in node.input} | {value.name for value in outputs}
    return [n for n in known if n.op_type != "DequantizeLinear" or n.output[0] in read]


def layer_counts(lowered: onnx.ModelProto) -> tuple[int, int]:
    """How many convolutions and fully connected layers there are, and how many read integers.

    What stands for a pooling, a shuffle or a transposed convolution is none of them.
    """
    graph = Graph(lowered)
    layers = [
        node
        for node in lowered.graph.node
        if node.op_type in ("Conv", "Gemm") and not node.input[1].endswith(SURROGATE_SUFFIX)
    ]
    return len(layers), sum(reads_integers(graph, node) for node in layers)
