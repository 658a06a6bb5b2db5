"""Distillation of one model for one backend: from its quantization to better weights."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from fqbench.backends.record import resolve
from fqbench.backends.registry import int8_form
from fqbench.backends.variants import variants
from fqbench.errors import StepError
from fqbench.graph.executor import Feed, execute
from fqbench.graph.graph import Graph
from fqbench.isolate import Report
from fqbench.methods.distillation.element_weights import ElementWeights
from fqbench.methods.distillation.history import History
from fqbench.methods.distillation.schedule import is_held_out, rate
from fqbench.methods.distillation.student import Arrays, Objective, Student
from fqbench.methods.distillation.teacher_outputs import TeacherOutputs, compared_tensors
from fqbench.methods.distillation.train import Training, train
from fqbench.quantize.adapt import apply_rounded_weights
from fqbench.quantize.affine import INT8_MAX
from fqbench.quantize.calibrate import weight_limits
from fqbench.quantize.record import Quantization
from fqbench.quantize.roundings import FindRoundings
from fqbench.quantize.setting import Setting
from fqbench.spec.model import Decode
from fqbench.spec.quantization import Distillation
from fqbench.tune.choice import ACCURACY, Choice
from fqbench.tune.error import raw_outputs
from fqbench.tune.estimators import ErrorEstimator, OutputErrorEstimator

MIN_IMAGES = 8
"""Images: half of them teach, half evaluate the student."""

CODE_REACH = 0.49
"""Part of the distance of two codes: a weight this near to a code rounds to it."""

KEPT_IN_FLOAT = "the student was taught with it in float"


@dataclass(frozen=True)
class DistillationResult:
    """The student: its graph, its record, how it went, and what the user should know."""

    model: onnx.ModelProto
    record: Quantization
    history: History
    warning: str | None


@dataclass(frozen=True)
class DistillationTask:
    """What to distill: the teacher's graph, its quantization, and how ``backend`` rounds it.

    ``decode``: what the model's outputs are. ``estimator`` finds errors on the images held out;
    None for one by the raw outputs.
    """

    backend: str
    teacher: onnx.ModelProto
    record: Quantization
    choice: Choice
    settings: Distillation
    metric: str
    decode: Decode
    estimator: ErrorEstimator | None = None


def distill(
    task: DistillationTask, feeds: Iterable[Feed], images: int, scratch: Path, report: Report
) -> DistillationResult:
    """Teach a student that rounds as the backend does, by as many ``feeds`` as ``images``.

    ``scratch``: where checkpoints lie. Raises StepError where the settings do not fit the model.
    """
    if images < MIN_IMAGES:
        raise StepError(f"distillation takes {MIN_IMAGES} images or more, there are {images}")
    settings, teacher = task.settings, task.teacher
    nodes = compared_tensors(teacher, settings.nodes)
    record = task.choice.applied(task.record)
    # Codes are chosen for the student again, from the ranges that calibration found.
    plain = replace(task.record.widened(task.choice.wide), float_layers=task.choice.float_layers)
    float_silu = task.choice.float_silu
    find: FindRoundings = resolve(int8_form(task.backend).roundings)
    where = find(teacher, record, float_silu=float_silu)
    forms = task.choice.safe.items()
    where = replace(where, narrow=frozenset(name for name, form in forms if form != "coarse"))
    start = initial_student(teacher, apply_rounded_weights(teacher, record, where.layers), record)
    held = [number for number in range(images) if is_held_out(number, images)]

    setting = Setting(
        safe=frozenset(task.choice.safe) | frozenset(task.choice.unsigned),
        unsigned=bool(task.choice.unsigned),
        float_silu=float_silu,
    )

    def error(weights: Arrays) -> float:
        model = _with_weights(start, weights)
        made = variants(task.backend, model, _student_record(plain, model), scratch)
        graph = made.emulated(setting)
        return estimator.error(execute(graph, estimator.names, fuse_pairs=made.runs_emulation))

    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        outputs = TeacherOutputs.compute(
            teacher, nodes, feeds, images, Path(folder), _element_weights(task, nodes)
        )
        estimator = task.estimator or OutputErrorEstimator.of(
            teacher, raw_outputs(Graph(teacher)), [outputs.feed(i) for i in held]
        )
        student = Student(
            start,
            where,
            _objective(nodes, outputs, settings),
            settings,
            lambda i: rate(settings.learning_rate, i, settings.iterations),
        )
        trained = [number for number in range(images) if number not in held]
        training = Training(student, outputs, trained, settings, error, task.metric)
        best, history, warning = train(training, scratch / "checkpoint.npz", report)
    if best is None:
        return DistillationResult(teacher, replace(plain, method="distillation"), history, warning)
    model = _with_weights(start, best)
    return DistillationResult(model, _student_record(plain, model), history, warning)


def _element_weights(task: DistillationTask, nodes: tuple[str, ...]) -> ElementWeights | None:
    """Weights of elements where a detector is compared by its raw outputs, by no loss that was
    asked for."""
    if task.settings.nodes or task.settings.loss is not None:
        return None
    return ElementWeights.of(task.teacher, nodes, task.decode)


def _objective(
    nodes: tuple[str, ...], outputs: TeacherOutputs, settings: Distillation
) -> Objective:
    """How student and teacher are compared. Raises StepError where nodes are no logits."""
    shapes = [target.shape for target in outputs.targets]
    logits = all(len(shape) == 2 for shape in shapes)
    loss = settings.loss or ("soft_label" if logits else "l2")
    if loss == "soft_label" and not logits:
        name, shape = next((n, s) for n, s in zip(nodes, shapes, strict=True) if len(s) != 2)
        raise StepError(
            f"distillation.loss soft_label compares logits [images, classes]; {name} has"
            f" {len(shape)} dimensions: choose l2, or other nodes"
        )
    share = settings.alpha / len(nodes)
    if loss == "soft_label":
        return Objective(nodes, loss, (share,) * len(nodes))
    # So that every tensor counts the same, whatever the size of its values.
    weights = tuple(share / spread if spread > 0.0 else 0.0 for spread in outputs.variances())
    return Objective(nodes, loss, weights, outputs.weighting is not None)


def initial_student(
    teacher: onnx.ModelProto, rounded: onnx.ModelProto, record: Quantization
) -> onnx.ModelProto:
    """``rounded`` with weights that round to the same codes, but are as near the teacher's as can.

    Weights exactly on their grid would need a large step of training to change a code.
    """
    own, found = Graph(teacher), Graph(rounded)
    weights = {}
    for layer in own.layers():
        name, grid = layer.input[1], found.weight(layer)
        columns = (slice(None),) + (None,) * (grid.ndim - 1)
        reach = CODE_REACH * np.array(record.weight_amax[name])[columns] / INT8_MAX
        weights[name] = own.as_stored(
            layer, np.clip(own.weight(layer), grid - reach, grid + reach).astype(np.float32)
        )
    return _with_weights(rounded, weights)


def _with_weights(model: onnx.ModelProto, weights: Arrays) -> onnx.ModelProto:
    """``model`` with other values of some of its initializers."""
    graph = Graph(deepcopy(model))
    for name in weights.keys() & graph.weights.keys():
        graph.replace_weight(name, weights[name])
    return graph.model


def _student_record(record: Quantization, model: onnx.ModelProto) -> Quantization:
    """The record of a student: its weights' own limits, rounded to the nearest codes."""
    return replace(
        record,
        method="distillation",
        weight_amax=weight_limits(Graph(model)),
        float_layers={
            name: KEPT_IN_FLOAT if why == ACCURACY else why
            for name, why in record.float_layers.items()
        },
        rounded={},
        safe={},
        wide={},
    )
