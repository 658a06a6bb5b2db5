"""The student: a Paddle program that rounds as a backend does, and trains. Imports paddle.

``fake_quantize_dequantize_*`` are the operators that PaddleSlim's ``quant_aware`` inserts; its
gradient passes them unchanged. It is not called itself: it knows no zero points, finds ranges by
a moving average while training, and rounds what layers read only.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from fqbench.convert.paddle_program import onnx_to_paddle
from fqbench.convert.program import CONVOLUTIONS, digest, index_of, load
from fqbench.distill.rounding import Roundings, marked
from fqbench.errors import StepError
from fqbench.quantize.affine import NEGLIGIBLE, UINT8_LEVELS
from fqbench.quantize.graph import Graph
from fqbench.spec.model import Distillation

Arrays = Mapping[str, NDArray[np.float32]]

LAYERS = (*CONVOLUTIONS, "matmul_v2")
WEIGHT = {"conv2d": "Filter", "depthwise_conv2d": "Filter", "matmul_v2": "Y"}
SOURCE = {"conv2d": "Input", "depthwise_conv2d": "Input", "matmul_v2": "X"}
RESULT = {"conv2d": "Output", "depthwise_conv2d": "Output", "matmul_v2": "Out"}
BITS = 8
BIAS_UNIT = 1 / 32
"""Of the largest input times the largest weight: about what a typical input contributes."""
LEVELS_BITS = 9
"""Paddle rounds to 2^(bits - 1) - 1 steps between 0 and the range's end: here 255."""


@dataclass(frozen=True)
class Lesson:
    """What student and teacher are compared by: tensors, how, and the weight of each."""

    nodes: tuple[str, ...]
    loss: str
    weights: tuple[float, ...]


class Student:
    """Trains the weights and biases of a graph's layers."""

    def __init__(
        self,
        model: onnx.ModelProto,
        roundings: Roundings,
        lesson: Lesson,
        settings: Distillation,
        rate: Callable[[int], float],
    ) -> None:
        import paddle
        from paddleslim.common.recover_program import recover_inference_program

        graph = marked(model, roundings.tensors, lesson.nodes, settings.batch_size)
        with tempfile.TemporaryDirectory() as folder:
            onnx.save(graph, str(Path(folder) / "student.onnx"))
            onnx_to_paddle(Path(folder) / "student.onnx", Path(folder))
            program = load(Path(folder))
        self._executor, self._inputs = program.executor, program.feeds
        self._program = recover_inference_program(program.graph)
        self._scope, self._place = paddle.static.global_scope(), paddle.CPUPlace()
        self._block = self._program.global_block()
        for op in list(self._block.ops):
            if op.type == "feed":  # The executor feeds the targets too, and adds its own.
                self._block._remove_op(index_of(self._block, op))
        self._round_tensors(roundings)
        self._units: dict[str, NDArray[np.float32]] = {}
        self._variables = self._trained(Graph(graph), roundings)
        startup = paddle.static.Program()
        with paddle.static.program_guard(self._program, startup):
            self._targets, self._loss = _loss(program.fetches, lesson)
            self._schedule = paddle.optimizer.lr.LambdaDecay(1.0, rate)
            optimizer = _optimizer(settings, self._schedule)
            optimizer.minimize(self._loss, parameters=sorted(set(self._variables.values())))
        self._executor.run(startup)
        self._persistable = [
            v.name
            for v in self._program.list_vars()
            if v.persistable and v.name not in ("feed", "fetch")
        ]

    def step(
        self, iteration: int, images: Sequence[Any], targets: Sequence[NDArray[np.float32]]
    ) -> float:
        """Train on one batch: the loss before. ``iteration``, from 0, tells the learning rate."""
        self._schedule.step(iteration)
        feed = dict(zip(self._inputs, images, strict=True))
        feed.update(zip(self._targets, targets, strict=True))
        (loss,) = self._executor.run(self._program, feed=feed, fetch_list=[self._loss])
        return float(loss)

    def weights(self) -> Arrays:
        """The trained weights and biases, by the names of the graph's initializers."""
        return {
            name: self._value(variable) * self._units[variable]
            for name, variable in self._variables.items()
        }

    def state(self) -> Arrays:
        """Everything that training changes: weights, and what the optimizer remembers."""
        return {name: self._value(name) for name in self._persistable}

    def restore(self, state: Mapping[str, NDArray[np.float32]]) -> None:
        """Go on from what ``state`` returned."""
        for name in self._persistable:
            self._scope.find_var(name).get_tensor().set(state[name], self._place)

    def _value(self, name: str) -> NDArray[np.float32]:
        return np.array(self._scope.find_var(name).get_tensor())

    def _round_tensors(self, roundings: Roundings) -> None:
        """Put the rounding in place of each LeakyRelu that ``marked`` left.

        Clipping is a hard sigmoid, to 0 and 1, so that what is out of range has no gradient.
        """
        one = self._constant("range_end", np.ones(1, np.float32))
        for op in list(self._block.ops):
            if op.type != "leaky_relu" or op.attr("alpha") > -0.5:
                continue
            codes = roundings.tensors[round(-op.attr("alpha")) - 1].codes
            span, shift = codes.scale * UINT8_LEVELS, codes.zero_point / UINT8_LEVELS
            source, target = op.input("X")[0], op.output("Out")[0]
            index = index_of(self._block, op)
            self._block._remove_op(index)
            clipped, rounded = f"{target}.clipped", f"{target}.rounded"
            self._add(index, "hard_sigmoid", source, clipped, slope=1 / span, offset=shift)
            self._block._insert_op(
                index + 1,
                type="fake_quantize_dequantize_moving_average_abs_max",
                inputs={"X": self._block.var(clipped), "InScale": one},
                outputs={"Out": self._like(clipped, rounded), "OutScale": one},
                attrs={"bit_length": LEVELS_BITS, "is_test": True, "moving_rate": 0.9},
            )
            self._block._insert_op(
                index + 2,
                type="scale",
                inputs={"X": self._block.var(rounded)},
                outputs={"Out": self._block.var(target)},
                attrs={"scale": span, "bias": -span * shift, "bias_after_scale": True},
            )

    def _trained(self, graph: Graph, roundings: Roundings) -> dict[str, str]:
        """Variables of the weights and biases that are trained, by their initializers' names."""
        found: dict[str, str] = {}
        rounded = roundings.layers
        reach = {t.tensor: t.codes.scale * UINT8_LEVELS for t in roundings.tensors}
        wanted = {}
        numbers: Counter[str] = Counter()
        for node in graph.layers():
            key = digest(numpy_helper.to_array(graph.weights[node.input[1]]))
            wanted[key, numbers[key]] = node
            numbers[key] += 1
        numbers.clear()
        for op in list(self._block.ops):
            if op.type not in LAYERS:
                continue
            name = op.input(WEIGHT[op.type])[0]
            if not self._block.var(name).persistable:
                continue
            key = digest(self._value(name))
            node = wanted.pop((key, numbers[key]), None)
            numbers[key] += 1
            if node is None or node.name not in rounded:
                continue
            found[node.input[1]] = name
            if op.type in CONVOLUTIONS:
                # Twice as fast as Paddle's own kernels, forward and back.
                op._set_attr("use_mkldnn", True)
            largest = self._train_weight(op, name)
            add = self._bias_of(op)
            if add is not None and len(node.input) > 2:
                found[node.input[2]] = add.input("Y")[0]
                self._train_bias(
                    add,
                    largest
                    * np.float32(BIAS_UNIT * reach[node.input[0].removesuffix("__rounded")]),
                )
        lost = [node.name for node in wanted.values() if node.name in rounded]
        if lost:
            raise StepError(
                f"{len(lost)} of {len(rounded)} layers to train ({lost[0]} first) were lost on the"
                " way to Paddle: the conversion changed their weights"
            )
        return found

    def _bias_of(self, op: Any) -> Any:
        """The operator that adds the bias to the result of ``op``; None where there is none."""
        result = op.output(RESULT[op.type])[0]
        for other in self._block.ops:
            if other.type == "elementwise_add" and result in other.input("X"):
                return other if self._block.var(other.input("Y")[0]).persistable else None
        return None

    def _train_weight(self, op: Any, name: str) -> NDArray[np.float32]:
        """Round the weight of ``op``; returns the largest magnitude of each channel."""
        axis = 1 if op.type == "matmul_v2" and not op.attr("trans_y") else 0
        weight = self._value(name)
        others = tuple(i for i in range(weight.ndim) if i != axis)
        largest = np.abs(weight).max(axis=others, keepdims=True)
        largest = np.maximum(largest, NEGLIGIBLE * largest.max())
        target = f"{name}.rounded"
        if not self._block.has_var(target):
            index = index_of(self._block, op)
            self._in_units(index, name, largest)
            scales = self._block.create_var(
                name=f"{name}.scales",
                shape=[weight.shape[axis]],
                dtype="float32",
                stop_gradient=True,
            )
            self._block._insert_op(
                index + 1,
                type="fake_channel_wise_quantize_dequantize_abs_max",
                inputs={"X": self._block.var(f"{name}.real")},
                outputs={"Out": self._like(name, target), "OutScale": scales},
                attrs={"bit_length": BITS, "quant_axis": axis},
            )
        op._rename_input(name, target)
        return np.asarray(largest.ravel(), np.float32)

    def _train_bias(self, op: Any, unit: NDArray[np.float32]) -> None:
        name = op.input("Y")[0]
        if not self._block.has_var(f"{name}.real"):
            self._in_units(index_of(self._block, op), name, unit)
        op._rename_input(name, f"{name}.real")

    def _in_units(self, index: int, name: str, unit: NDArray[np.float32]) -> None:
        """Train the parameter ``name`` in ``unit``: one rate of learning fits all then."""
        value = self._value(name)
        self._units[name] = unit
        self._scope.find_var(name).get_tensor().set(value / unit, self._place)
        self._block._insert_op(
            index,
            type="elementwise_mul",
            inputs={"X": self._block.var(name), "Y": self._constant(f"{name}.unit", unit)},
            outputs={"Out": self._like(name, f"{name}.real")},
            attrs={"axis": -1},
        )

    def _add(self, index: int, kind: str, source: str, target: str, **attributes: float) -> None:
        self._block._insert_op(
            index,
            type=kind,
            inputs={"X": self._block.var(source)},
            outputs={"Out": self._like(source, target)},
            attrs=attributes,
        )

    def _like(self, source: str, target: str) -> Any:
        variable = self._block.var(source)
        return self._block.create_var(name=target, shape=variable.shape, dtype=variable.dtype)

    def _constant(self, name: str, value: NDArray[np.float32]) -> Any:
        variable = self._block.create_var(
            name=name, shape=value.shape, dtype="float32", persistable=True, stop_gradient=True
        )
        self._scope.var(name).get_tensor().set(value, self._place)
        return variable


def _loss(results: Sequence[Any], lesson: Lesson) -> tuple[list[str], Any]:
    """Names of the teacher's variables, and the loss: the mean over what is compared."""
    import paddle
    from paddleslim.dist import l2, soft_label

    between = {"l2": l2, "soft_label": soft_label}[lesson.loss]
    targets, losses = [], []
    for number, (result, weight) in enumerate(zip(results, lesson.weights, strict=True)):
        target = paddle.static.data(f"teacher_{number}", result.shape, "float32")
        targets.append(target.name)
        losses.append(weight * between(target.name, result.name))
    return targets, paddle.add_n(losses)


def _optimizer(settings: Distillation, schedule: Any) -> Any:
    import paddle

    kind = getattr(paddle.optimizer, settings.optimizer)
    return kind(learning_rate=schedule, weight_decay=settings.weight_decay or None)
