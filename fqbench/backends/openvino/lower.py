"""Lowering for OpenVINO on a CPU: pairs for its low-precision passes, int8 weights per channel.

The file is ONNX. A layer's weights are int8 constants behind a DequantizeLinear; its bias stays
float, since it is added behind the scales of the kernel. Where pairs stand, see ``plan``.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fqbench.backends.lowering import Lowered, left_in_float
from fqbench.backends.openvino.joins import lose_scales
from fqbench.backends.openvino.mend import reordered, with_tangents
from fqbench.backends.openvino.plan import STOPPING, Plan, make_plan
from fqbench.backends.openvino.tokens import token_layers, with_tokens
from fqbench.backends.pair_placement import moved
from fqbench.backends.shuffles import unify_ranges, without_shuffles
from fqbench.backends.transposed import interleaved_at_once
from fqbench.graph.checking import check
from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph, drop_unread, replace_items
from fqbench.quantize.adapt import apply_rounded_weights
from fqbench.quantize.affine import int8_weight, representable_weight_amax
from fqbench.quantize.record import Quantization
from fqbench.quantize.sharing import averaged

MODEL = "model.onnx"


def lower(
    model: onnx.ModelProto, quantization: Quantization, *, int8_joins: bool = True
) -> onnx.ModelProto:
    """Return the INT8 form of the canonical graph ``model``; ``model`` stays as it is.

    ``int8_joins``: see ``make_plan``.
    """
    return _lowered(model, quantization, int8_joins)[0]


def _lowered(
    model: onnx.ModelProto, quantization: Quantization, int8_joins: bool
) -> tuple[onnx.ModelProto, Plan]:
    """The INT8 form, and what of it runs in INT8."""
    source = reordered(model)
    # Once shuffles are gone, nothing tells any more whose ranges are one.
    ranges = unify_ranges(Graph(source), quantization.ranges)
    quantization = replace(quantization, ranges=ranges)
    layers = make_plan(source, quantization, int8_joins=int8_joins).layers
    source = apply_rounded_weights(source, quantization, layers)
    source, orders = without_shuffles(source, {node.name for node in source.graph.node})
    known = dict(ranges)
    for node in source.graph.node:
        if node.op_type == "Split" and node.input[0] in known:  # Parts that shuffles left.
            known = {**dict.fromkeys(node.output, known[node.input[0]]), **known}
    quantization = replace(quantization, ranges=known).reordered(orders)
    plan = make_plan(source, quantization, int8_joins=int8_joins)
    written = interleaved_at_once(_Writer(Graph(source), plan, quantization).write())
    return with_tokens(with_tangents(written), token_layers(Graph(source))), plan


def lower_into(
    model: onnx.ModelProto,
    quantization: Quantization,
    folder: Path,
    *,
    feeds: Sequence[Feed],
    float_silu: bool,
    unsigned: frozenset[str],
) -> Lowered:
    """See ``fqbench.backends.lowering.Lower``. What a kernel computes itself is never rounded.

    It runs OpenVINO: what keeps its scale depends on the CPU.
    """
    lowered, plan = _lowered(model, quantization, not lose_scales())
    onnx.save(lowered, str(folder / MODEL))
    graph = Graph(model)
    left = left_in_float(model, quantization, plan.layers, averaged(graph, graph.layers()))
    return Lowered(lowered, len(graph.layers()), len(plan.layers), left)


class _Writer:
    """Writes the planned pairs and weights into a copy of the graph."""

    def __init__(self, graph: Graph, plan: Plan, quantization: Quantization) -> None:
        self._graph, self._plan, self._quantization = graph, plan, quantization
        self._layers = {layer.name: layer for layer in graph.layers()}
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._written: set[str] = set()

    def write(self) -> onnx.ModelProto:
        result = deepcopy(self._graph.model)
        for node in result.graph.node:
            for place, name in enumerate(node.input):
                node.input[place] = self._read(node, name)
            if node.name in self._plan.layers:
                self._quantize(node)
            self._nodes.append(node)
        replace_items(result.graph.node, self._nodes)
        result.graph.initializer.extend(self._initializers.values())
        drop_unread(result.graph)
        check(result)
        return result

    def _read(self, node: onnx.NodeProto, name: str) -> str:
        """What ``node`` reads instead of the tensor ``name``."""
        placement = self._plan.tensors.get(name)
        if placement is not None and node.name not in placement.readers:
            return name
        read = name if placement is None else self._pair(name)
        shift = self._plan.shifted.get(name)
        carries = bool(moved(self._graph, node, STOPPING)) and node.output[0] in self._plan.shifted
        if shift is None or carries or node.name in self._plan.layers:
            return read
        return self._unshifted(name, read, shift)

    def _pair(self, name: str) -> str:
        """The tensor that holds ``name`` rounded, shifted where it is to be."""
        target, codes = f"{name}__rounded", self._plan.tensors[name].codes
        if self._is_new(target):
            scale = self._add(f"{target}__scale", codes.params.scale)
            zero = self._add(f"{target}__zero_point", codes.params.zero_point)
            read_zero = zero
            if codes.shifted:
                read_zero = self._add(f"{target}__read_zero_point", np.uint8(0))
            stored = f"{target}__codes"
            self._node("QuantizeLinear", [name, scale, zero], stored, f"{target}__q")
            self._node("DequantizeLinear", [stored, scale, read_zero], target, f"{target}__dq")
        return target

    def _unshifted(self, name: str, read: str, shift: np.float32) -> str:
        target = f"{name}__unshifted"
        if self._is_new(target):
            self._node("Sub", [read, self._add(f"{target}__shift", shift)], target, target)
        return target

    def _quantize(self, layer: onnx.NodeProto) -> None:
        """Give ``layer`` an int8 weight, and a bias without what shifted values add."""
        original = self._layers[layer.name]
        weight, bias = self._graph.weight(original), self._graph.bias(original)
        amax = self._quantization.weight_amax[original.input[1]]
        # No channel's scale is so small that its inverse is no number.
        codes, scales = int8_weight(weight, representable_weight_amax(amax, 0.0, 1.0))
        name = f"{layer.name}__weight"
        stored = np.ascontiguousarray(self._graph.as_stored(original, codes))
        parts = [
            self._add(f"{name}__codes", stored),
            self._add(f"{name}__scale", scales),
            self._add(f"{name}__zero_point", np.zeros(scales.shape, np.int8)),
        ]
        axis = self._graph.channel_axis(original)
        self._node("DequantizeLinear", parts, name, f"{name}__dq", axis=axis)
        layer.input[1] = name
        shift = float(self._plan.layers[layer.name].shift)
        if shift != 0.0:
            total = codes.reshape(len(codes), -1).sum(axis=1, dtype=np.int64) * scales
            own = np.zeros(len(codes)) if bias is None else bias.astype(np.float64)
            moved = (own - shift * total).astype(np.float32)
            layer.input[2:] = [self._add(f"{layer.name}__bias", moved)]

    def _node(
        self, kind: str, inputs: Sequence[str], output: str, name: str, **attributes: int
    ) -> None:
        self._nodes.append(helper.make_node(kind, list(inputs), [output], name, **attributes))

    def _is_new(self, name: str) -> bool:
        new = name not in self._written
        self._written.add(name)
        return new

    def _add(self, name: str, value: NDArray[np.generic] | np.generic) -> str:
        self._initializers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name
