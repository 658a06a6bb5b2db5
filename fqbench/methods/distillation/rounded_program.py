"""Rounding in a Paddle program that trains: of tensors, and of the weights that are trained.

``fake_quantize_dequantize_*`` are the operators that PaddleSlim's ``quant_aware`` inserts, whose
gradient is that of no rounding. ``quant_aware`` itself knows no zero points, rounds only what
layers read, and takes ranges from a moving average over the training.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from fqbench.convert.program import CONVOLUTIONS, digest, index_of
from fqbench.errors import StepError
from fqbench.graph.graph import Graph
from fqbench.methods.distillation.rounding_marks import MARK, tensor_of, unmarked
from fqbench.quantize.affine import NEGLIGIBLE, UINT8_LEVELS
from fqbench.quantize.roundings import Roundings

Array = NDArray[np.float32]

WEIGHT = {"conv2d": "Filter", "depthwise_conv2d": "Filter", "matmul_v2": "Y"}
RESULT = {"conv2d": "Output", "depthwise_conv2d": "Output", "matmul_v2": "Out"}
"""Operators of layers, and what they call their weight and their result."""

WEIGHT_BITS, NARROW_BITS = 8, 7
TENSOR_BITS = 9
"""Paddle rounds to 2^(bits - 1) - 1 steps between 0 and the end of a range: these are 255."""

BIAS_UNIT = 1 / 32
"""The unit a bias is trained in, times its channel's largest weight and the largest input: about
what a typical input contributes."""


class RoundedProgram:
    """A program into which rounding is written. ``units`` [channels, ...] by variable's name:
    what each trained variable is multiplied by to give a weight or a bias.

    So an optimizer's step is a part of a channel's own size: channels differ by factors of 10^5.
    """

    def __init__(self, block: Any, scope: Any, place: Any) -> None:
        self._block, self._scope, self._place = block, scope, place
        self.units: dict[str, Array] = {}

    def value(self, name: str) -> Array:
        """What a variable holds now."""
        return np.array(self._scope.find_var(name).get_tensor())

    def set(self, name: str, value: Array) -> None:
        """Let a variable hold ``value``."""
        self._scope.find_var(name).get_tensor().set(value, self._place)

    def round_tensors(self, roundings: Roundings) -> None:
        """Put rounding in place of the marks that stand for it.

        Clipping is a hard sigmoid to 0 and 1: what is out of range has no gradient.
        """
        one = self._constant("range_end", np.ones(1, np.float32))
        for op in [op for op in self._block.ops if op.type == MARK]:
            number = unmarked(op.attr("alpha"))
            if number is None:
                continue
            codes = roundings.tensors[number].codes
            span, shift = codes.scale * UINT8_LEVELS, codes.zero_point / UINT8_LEVELS
            target = op.output("Out")[0]
            clipped, rounded = f"{target}.clipped", f"{target}.rounded"
            source, index = {"X": op.input("X")[0]}, index_of(self._block, op)
            self._block._remove_op(index)
            self._insert(index, "hard_sigmoid", source, clipped, slope=1.0 / span, offset=shift)
            self._insert(
                index + 1,
                "fake_quantize_dequantize_moving_average_abs_max",
                {"X": clipped, "InScale": one},
                rounded,
                scale_to=self._block.var(one),
                bit_length=TENSOR_BITS,
                is_test=True,
            )
            self._insert(index + 2, "scale", {"X": rounded}, target, scale=span, bias=-span * shift)

    def train_layers(self, graph: Graph, roundings: Roundings) -> dict[str, str]:
        """Round the layers' weights; which variables to train, by the initializers' names.

        Layers are found by their weights. Raises StepError where the program lacks one.
        """
        found: dict[str, str] = {}
        reach = {each.tensor: each.codes.scale * UINT8_LEVELS for each in roundings.tensors}
        for op, node in self._layers(graph, roundings):
            if op.type in CONVOLUTIONS:
                # Forward and back half as fast again as Paddle's own kernels.
                op._set_attr("use_mkldnn", True)
            weight = found[node.input[1]] = op.input(WEIGHT[op.type])[0]
            bits = NARROW_BITS if node.name in roundings.narrow else WEIGHT_BITS
            largest = self._round_weight(op, weight, bits)
            add = self._addition(op)
            if add is not None and len(node.input) > 2:
                bias = found[node.input[2]] = add.input("Y")[0]
                typical = BIAS_UNIT * reach[tensor_of(node.input[0])]
                self._in_units(bias, largest.ravel() * np.float32(typical))
        return found

    def _layers(self, graph: Graph, roundings: Roundings) -> list[tuple[Any, onnx.NodeProto]]:
        """The operators of the layers that are rounded, each with its node."""
        wanted, numbers = {}, Counter[str]()
        for node in graph.layers():
            key = digest(numpy_helper.to_array(graph.weights[node.input[1]]))
            wanted[key, numbers[key]] = node
            numbers[key] += 1
        found = []
        numbers.clear()
        for op in self._block.ops:
            weight = op.input(WEIGHT[op.type])[0] if op.type in WEIGHT else None
            if weight is None or not self._block.var(weight).persistable:
                continue
            key = digest(self.value(weight))
            layer = wanted.pop((key, numbers[key]), None)
            numbers[key] += 1
            if layer is not None and layer.name in roundings.layers:
                found.append((op, layer))
        lost = [node.name for node in wanted.values() if node.name in roundings.layers]
        if lost:
            raise StepError(
                f"{len(lost)} of {len(roundings.layers)} layers to train ({lost[0]} first) were"
                " lost on the way to Paddle: the conversion changed their weights"
            )
        return found

    def _addition(self, op: Any) -> Any:
        """The operator that adds the bias to the result of ``op``; None where there is none."""
        result = op.output(RESULT[op.type])[0]
        for other in self._block.ops:
            if other.type == "elementwise_add" and result in other.input("X"):
                return other if self._block.var(other.input("Y")[0]).persistable else None
        return None

    def _round_weight(self, op: Any, name: str, bits: int) -> Array:
        """Let ``op`` read its weight rounded; the largest magnitude of each output channel."""
        axis = 1 if op.type == "matmul_v2" and not op.attr("trans_y") else 0
        weight = self.value(name) * self.units.get(name, np.float32(1.0))
        others = tuple(i for i in range(weight.ndim) if i != axis)
        largest = np.abs(weight).max(axis=others, keepdims=True)
        largest = np.maximum(largest, np.float32(NEGLIGIBLE) * largest.max())
        self._in_units(name, largest)
        rounded = f"{name}.rounded"
        if not self._block.has_var(rounded):
            self._insert(
                index_of(self._block, op),
                "fake_channel_wise_quantize_dequantize_abs_max",
                {"X": _real(name)},
                rounded,
                scale_to=self._block.create_var(
                    name=f"{name}.scale", shape=[weight.shape[axis]], dtype="float32"
                ),
                bit_length=bits,
                quant_axis=axis,
            )
        op._rename_input(_real(name), rounded)
        return np.asarray(largest, np.float32)

    def _in_units(self, name: str, unit: Array) -> None:
        """Train the variable in ``unit``: all that read it read it multiplied by that."""
        if name in self.units:
            return
        self.units[name] = unit
        self.set(name, self.value(name) / unit)
        for op in self._block.ops:
            if name in op.input_arg_names:
                op._rename_input(name, _real(name))
        inputs = {"X": name, "Y": self._constant(f"{name}.unit", unit)}
        self._insert(0, "elementwise_mul", inputs, _real(name), axis=-1)

    def _insert(
        self,
        index: int,
        kind: str,
        inputs: dict[str, str],
        target: str,
        *,
        scale_to: Any = None,
        **attributes: Any,
    ) -> None:
        """Insert an operator that writes ``target``, shaped as its input ``X``."""
        like = self._block.var(inputs["X"])
        if not self._block.has_var(target):
            self._block.create_var(name=target, shape=like.shape, dtype=like.dtype)
        outputs = {"Out": self._block.var(target)}
        if scale_to is not None:
            outputs["OutScale"] = scale_to
        self._block._insert_op(
            index,
            type=kind,
            inputs={key: self._block.var(name) for key, name in inputs.items()},
            outputs=outputs,
            attrs=attributes,
        )

    def _constant(self, name: str, value: Array) -> str:
        self._block.create_var(
            name=name, shape=value.shape, dtype="float32", persistable=True, stop_gradient=True
        )
        self._scope.var(name)
        self.set(name, value)
        return name


def _real(name: str) -> str:
    """The variable that holds the trained variable ``name`` times its unit."""
    return f"{name}.real"
