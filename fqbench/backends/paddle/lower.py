"""Lowering for Paddle Inference with oneDNN: quantize pairs before convolutions, int8 weights.

Only convolutions and depthwise convolutions carry pairs; what Paddle's own pipeline would take
into INT8 besides, it is told to leave in float, where that brings nothing or goes wrong.

``write`` imports paddle and runs inside a child process.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.backends.lowering import Lowered, left_in_float
from fqbench.backends.paddle.between import mark_between
from fqbench.backends.paddle.layers import Layer, layers, unsuited
from fqbench.backends.paddle.sums import UNSCALED_SUM, fold_sums, result_of
from fqbench.backends.paddle.symmetric import symmetric
from fqbench.convert.paddle_program import onnx_to_paddle
from fqbench.convert.program import CONVOLUTIONS, digest, index_of, load, save
from fqbench.errors import StepError
from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph
from fqbench.quantize.adapt import apply_rounded_weights
from fqbench.quantize.affine import INT8_MAX, int8_weight
from fqbench.quantize.record import Quantization


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
    names = [layer.name for layer in layers(model, quantization)]
    rounded = apply_rounded_weights(model, quantization, names)
    with tempfile.TemporaryDirectory() as program:
        source = Path(program) / "source.onnx"
        onnx.save(rounded, str(source))
        onnx_to_paddle(source, Path(program))
        chosen = layers(rounded, quantization)
        quantized = write(Path(program), chosen, folder)
    graph = Graph(model)
    reasons = {**dict.fromkeys((layer.name for layer in chosen), UNSCALED_SUM), **unsuited(graph)}
    left = left_in_float(model, quantization, quantized, reasons)
    return Lowered(symmetric(model, quantization), len(graph.layers()), len(quantized), left)


def write(program: Path, chosen: Sequence[Layer], folder: Path) -> list[str]:
    """Write the INT8 form of the Paddle model in folder ``program`` into ``folder``.

    Returns the names of the convolutions that run in INT8. Raises StepError where the program lacks
    one.
    """
    import paddle

    loaded = load(program)
    writer = _Writer(loaded.block, paddle.static.global_scope(), paddle.CPUPlace())
    matched = _matched(loaded.block, writer, chosen)
    quantized = fold_sums(loaded.block, matched)
    for op, layer in quantized:
        writer.quantize(op, layer)
    written = [result_of(loaded.block, op) for op, _ in quantized]
    mark_between(loaded.block, writer.amax, written)
    save(loaded, folder)
    return [layer.name for _, layer in quantized]


def _matched(block: Any, writer: _Writer, chosen: Sequence[Layer]) -> list[tuple[Any, Layer]]:
    """The convolution of each of the ``chosen`` layers, in the order of the program."""
    wanted = {(layer.weight, layer.number): layer for layer in chosen}
    numbers: Counter[str] = Counter()
    found = []
    for op in block.ops:
        if op.type in CONVOLUTIONS:
            weight = writer.weight_digest(op)
            layer = wanted.pop((weight, numbers[weight]), None)
            numbers[weight] += 1
            if layer is not None:
                found.append((op, layer))
    if wanted:
        raise StepError(
            f"{len(wanted)} of {len(chosen)} convolutions to quantize were lost on the way to"
            " Paddle: the conversion changed their weights"
        )
    return found


@dataclass(frozen=True)
class _Parameters:
    """Paddle's variables of a pair's scale and zero point."""

    scale: Any
    zero_point: Any


class _Writer:
    """Inserts quantize pairs into a loaded program, in the form PaddleSlim writes them."""

    def __init__(self, block: Any, scope: Any, place: Any) -> None:
        self._block, self._scope, self._place = block, scope, place
        self._pairs: set[str] = set()
        self.amax: dict[str, float] = {}
        self._weights: dict[str, NDArray[np.float32]] = {}

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
            self.amax[name] = amax
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
        parameters: _Parameters,
        axis: int,
    ) -> None:
        variable = self._block.var(source)
        output = self._block.create_var(name=target, shape=variable.shape, dtype=variable.dtype)
        self._block._insert_op(
            index_of(self._block, before),
            type=kind,
            inputs={
                "X": variable,
                "Scale": parameters.scale,
                "ZeroPoint": parameters.zero_point,
            },
            outputs={"Y": output},
            attrs={"quant_axis": axis, "bit_length": 8},
        )

    def _parameters(self, name: str, amax: NDArray[np.float32]) -> _Parameters:
        """Scale and zero point variables; Paddle's scale is the largest magnitude itself."""
        zeros = np.zeros(amax.shape, np.int32)
        return _Parameters(
            self._parameter(f"{name}@Scale", amax), self._parameter(f"{name}@ZeroPoint", zeros)
        )

    def _parameter(self, name: str, value: NDArray[Any]) -> Any:
        variable = self._block.create_var(
            name=name, shape=value.shape, dtype=str(value.dtype), persistable=True
        )
        self._scope.var(variable.name)
        self._set(variable.name, value)
        return variable

    def _set(self, name: str, value: NDArray[Any]) -> None:
        self._scope.find_var(name).get_tensor().set(value, self._place)
