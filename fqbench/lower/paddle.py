"""Lowering for Paddle Inference with oneDNN: quantize pairs before convolutions, int8 weights.

Only convolutions and depthwise convolutions carry pairs. Paddle's own pipeline quantizes
concatenations and elementwise operators too, each with the one scale of its result, and so
rounds scores away beside coordinates.

``write`` imports paddle and runs inside a child process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from fqbench.convert.program import CONVOLUTIONS, digest, index_of, load, save
from fqbench.errors import StepError
from fqbench.quantize.affine import (
    INT8_MAX,
    UINT8_LEVELS,
    int8_weight,
    representable_weight_amax,
)
from fqbench.quantize.graph import Graph
from fqbench.quantize.record import Quantization


@dataclass(frozen=True)
class Layer:
    """One convolution to quantize: its name, and its weight's SHA-256, by which it is found.

    ``number`` counts, from 0, the convolutions of the same weight before it.
    """

    name: str
    weight: str
    number: int
    input_amax: float
    weight_amax: tuple[float, ...]


def layers(model: onnx.ModelProto, quantization: Quantization) -> tuple[Layer, ...]:
    """The convolutions to quantize: all that have ranges and are not to stay in float."""
    graph = Graph(model)
    found = []
    numbers: Counter[str] = Counter()
    for node in graph.convolutions():
        source, name = node.input[:2]
        weight = digest(numpy_helper.to_array(graph.weights[name]))
        number = numbers[weight]
        numbers[weight] += 1
        if node.name in quantization.float_layers or source not in quantization.ranges:
            continue
        amax, bias = quantization.ranges[source].amax, graph.bias(node)
        limits = representable_weight_amax(
            quantization.weight_amax[name], 0.0 if bias is None else bias, amax / UINT8_LEVELS
        )
        found.append(Layer(node.name, weight, number, amax, tuple(limits.tolist())))
    return tuple(found)


def write(program: Path, chosen: Sequence[Layer], folder: Path) -> int:
    """Write the INT8 form of the Paddle model in folder ``program`` into ``folder``.

    Returns how many convolutions it quantized. Raises StepError where the program lacks one.
    """
    import paddle

    loaded = load(program)
    writer = _Writer(loaded.block, paddle.static.global_scope(), paddle.CPUPlace())
    wanted = {(layer.weight, layer.number): layer for layer in chosen}
    numbers: Counter[str] = Counter()
    for op in list(loaded.block.ops):
        if op.type in CONVOLUTIONS:
            weight = writer.weight_digest(op)
            layer = wanted.pop((weight, numbers[weight]), None)
            numbers[weight] += 1
            if layer is not None:
                writer.quantize(op, layer)
    if wanted:
        raise StepError(
            f"{len(wanted)} of {len(chosen)} convolutions to quantize were lost on the way to"
            " Paddle: the conversion changed their weights"
        )
    save(loaded, folder)
    return len(chosen)


class _Writer:
    """Inserts quantize pairs into a loaded program, in the form PaddleSlim writes them."""

    def __init__(self, block: Any, scope: Any, place: Any) -> None:
        self._block, self._scope, self._place = block, scope, place
        self._pairs: set[str] = set()
        self._weights: dict[str, Any] = {}

    def weight_digest(self, op: Any) -> str:
        """SHA-256 of the float weight of a convolution; taken before it is quantized."""
        name = op.input("Filter")[0]
        if name not in self._weights:
            self._weights[name] = np.asarray(self._scope.find_var(name).get_tensor())
        return digest(self._weights[name])

    def quantize(self, op: Any, layer: Layer) -> None:
        """Give ``op`` int8 weights and a quantize pair on its input."""
        weight = op.input("Filter")[0]
        op._rename_input(weight, self._weight(op, weight, layer))
        source = op.input("Input")[0]
        op._rename_input(source, self._activation(op, source, layer.input_amax))
        op._set_attr("quantization_type", "qat_with_weight")

    def _weight(self, op: Any, name: str, layer: Layer) -> str:
        result = f"{name}.dequantized"
        if result not in self._pairs:
            self._pairs.add(result)
            amax = np.asarray(layer.weight_amax, dtype=np.float32)
            codes, scales = int8_weight(self._weights[name], amax)
            self._set(name, codes)
            parameters = self._parameters(result, scales * np.float32(INT8_MAX))
            self._insert(op, "dequantize_linear", name, result, parameters, axis=0)
        return result

    def _activation(self, op: Any, name: str, amax: float) -> str:
        code, result = f"{name}.quantized", f"{name}.dequantized"
        if result not in self._pairs:
            self._pairs.add(result)
            parameters = self._parameters(result, np.array([amax], np.float32))
            self._insert(op, "quantize_linear", name, code, parameters, axis=-1)
            self._insert(op, "dequantize_linear", code, result, parameters, axis=-1)
        return result

    def _insert(
        self,
        before: Any,
        kind: str,
        source: str,
        target: str,
        parameters: dict[str, Any],
        axis: int,
    ) -> None:
        variable = self._block.var(source)
        output = self._block.create_var(name=target, shape=variable.shape, dtype=variable.dtype)
        self._block._insert_op(
            index_of(self._block, before),
            type=kind,
            inputs={"X": variable, **parameters},
            outputs={"Y": output},
            attrs={"quant_axis": axis, "bit_length": 8},
        )

    def _parameters(self, name: str, amax: Any) -> dict[str, Any]:
        """Scale and zero point variables; Paddle's scale is the largest magnitude itself."""
        found = {}
        for key, value in (("Scale", amax), ("ZeroPoint", np.zeros(amax.shape, np.int32))):
            variable = self._block.create_var(
                name=f"{name}@{key}", shape=value.shape, dtype=str(value.dtype), persistable=True
            )
            self._scope.var(variable.name)
            self._set(variable.name, value)
            found[key] = variable
        return found

    def _set(self, name: str, value: Any) -> None:
        self._scope.find_var(name).get_tensor().set(value, self._place)
