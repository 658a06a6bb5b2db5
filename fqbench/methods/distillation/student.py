"""The student: a Paddle program that rounds as a backend does, and trains. Imports paddle.

PaddleSlim makes the program trainable and writes the loss into it. Its ``build_distill_program``
would have the teacher compute in every iteration what it can compute once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.convert.paddle_program import onnx_to_paddle
from fqbench.convert.program import index_of, load
from fqbench.graph.graph import Graph
from fqbench.methods.distillation.rounded_program import RoundedProgram
from fqbench.methods.distillation.rounding_marks import marked
from fqbench.quantize.roundings import Roundings
from fqbench.spec.quantization import Distillation

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Objective:
    """What student and teacher are compared by: tensors, how, and the weight of each.

    ``per_element``: whether each element of a tensor has a weight of its own, too.
    """

    nodes: tuple[str, ...]
    loss: str
    weights: tuple[float, ...]
    per_element: bool = False


class Student:
    """Trains the weights and biases of a graph's layers."""

    def __init__(
        self,
        model: onnx.ModelProto,
        roundings: Roundings,
        objective: Objective,
        settings: Distillation,
        rate: Callable[[int], float],
    ) -> None:
        import paddle
        from paddleslim.common.recover_program import recover_inference_program

        graph = marked(model, roundings.tensors, objective.nodes, settings.batch_size)
        with tempfile.TemporaryDirectory() as folder:
            onnx.save(graph, str(Path(folder) / "student.onnx"))
            onnx_to_paddle(Path(folder) / "student.onnx", Path(folder))
            program = load(Path(folder))
        self._executor, self._inputs = program.executor, program.feeds
        self._program = recover_inference_program(program.graph)
        block = self._program.global_block()
        for op in [op for op in block.ops if op.type == "feed"]:
            # The executor feeds the targets too, and adds what it needs for all.
            block._remove_op(index_of(block, op))
        # One operator after the other: half the memory, as fast on few cores.
        paddle.set_flags({"FLAGS_new_executor_serial_run": True})
        scope, place = paddle.static.global_scope(), paddle.CPUPlace()
        self._rounded = RoundedProgram(block, scope, place)
        self._rounded.round_tensors(roundings)
        self._variables = self._rounded.train_layers(Graph(graph), roundings)
        trained = set(self._variables.values())
        for variable in self._program.list_vars():
            if variable.persistable or variable.name in self._inputs:
                variable.stop_gradient = variable.name not in trained
        startup = paddle.static.Program()
        with paddle.static.program_guard(self._program, startup):
            self._targets, self._loss = _loss(program.fetches, objective)
            self._schedule = paddle.optimizer.lr.LambdaDecay(1.0, rate)
            optimizer = _optimizer(settings, self._schedule)
            optimizer.minimize(self._loss, parameters=sorted(trained))
        self._executor.run(startup)
        self._persistable = [
            v.name
            for v in self._program.list_vars()
            if v.persistable and v.name not in ("feed", "fetch")
        ]

    def step(
        self, iteration: int, images: Sequence[Any], targets: Sequence[NDArray[np.float32]]
    ) -> float:
        """Train on one batch: the loss before. ``iteration``, from 0, sets the learning rate.

        ``targets``: the teacher's tensors, followed by their weights where the objective has them.
        """
        self._schedule.step(iteration)
        feed = dict(zip(self._inputs, images, strict=True))
        feed.update(zip(self._targets, targets, strict=True))
        (loss,) = self._executor.run(self._program, feed=feed, fetch_list=[self._loss])
        return float(loss)

    def weights(self) -> Arrays:
        """The trained weights and biases, by the names of the graph's initializers."""
        return {
            name: self._rounded.value(variable) * self._rounded.units[variable]
            for name, variable in self._variables.items()
        }

    def state(self) -> Arrays:
        """Everything that training changes: weights, and what the optimizer remembers."""
        return {name: self._rounded.value(name) for name in self._persistable}

    def restore(self, state: Arrays) -> None:
        """Go on from what ``state`` returned. Raises ValueError where it is another program's."""
        shapes = {name: value.shape for name, value in self.state().items()}
        if {name: value.shape for name, value in state.items()} != shapes:
            raise ValueError("its variables are another program's")
        for name, value in state.items():
            self._rounded.set(name, value)


def _loss(results: Sequence[Any], objective: Objective) -> tuple[list[str], Any]:
    """Names of the variables that are fed with the images, and the loss: the mean over what is
    compared. Given are the teacher's tensors, then their weights where the objective has them."""
    import paddle
    from paddleslim.dist import l2, soft_label

    between = {"l2": l2, "soft_label": soft_label}[objective.loss]
    targets, weights, losses = [], [], []
    for number, (result, share) in enumerate(zip(results, objective.weights, strict=True)):
        target = paddle.static.data(f"teacher_{number}", result.shape, "float32")
        targets.append(target.name)
        if objective.per_element:
            weight = paddle.static.data(f"weight_{number}", result.shape, "float32")
            weights.append(weight.name)
            losses.append(share * paddle.mean(weight * paddle.square(result - target)))
        else:
            losses.append(share * between(target.name, result.name))
    return [*targets, *weights], paddle.add_n(losses)


def _optimizer(settings: Distillation, schedule: Any) -> Any:
    import paddle

    kind = getattr(paddle.optimizer, settings.optimizer)
    # 0.0 and not None: AdamW takes no None.
    return kind(learning_rate=schedule, weight_decay=settings.weight_decay)
