"""The loop: train, evaluate the student, keep the best, resume where it was stopped.

PaddleSlim's own loop (``AutoCompression``) keeps no state of the optimizer, evaluates by a function
of the caller's that needs labels, and runs the teacher in every iteration again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from fqbench.isolate import Report
from fqbench.methods.distillation.checkpoint import Checkpoint, UnreadableError
from fqbench.methods.distillation.history import BROKEN, LAST, REACHED, Evaluation, History
from fqbench.methods.distillation.schedule import batch
from fqbench.methods.distillation.student import Arrays, Student
from fqbench.methods.distillation.teacher_outputs import TeacherOutputs
from fqbench.spec.quantization import Distillation
from fqbench.tasks.registry import metrics


@dataclass(frozen=True)
class Training:
    """A student, what it learns from, and ``error``, which estimates the error of its weights.

    ``training_images``: those of the images of ``outputs`` that it is trained with. ``metric``:
    whose points the error costs.
    """

    student: Student
    outputs: TeacherOutputs
    training_images: Sequence[int]
    settings: Distillation
    error: Callable[[Arrays], float]
    metric: str


def train(
    training: Training, checkpoint: Path, report: Report
) -> tuple[Arrays | None, History, str | None]:
    """Train; the best weights, None where none is better than the start; how it went; a warning.

    Resumes from ``checkpoint`` where there is one. One that cannot be used is ignored, which the
    warning says.
    """
    student, settings, outputs = training.student, training.settings, training.outputs
    found, warning = _resumed(training, checkpoint)
    best, history = found.best, found.history
    losses: list[float] = []
    since = time.monotonic()
    for iteration in range(history.iteration, settings.iterations):
        if _reached(history, settings):
            return best, history.ended(REACHED), warning
        chosen = batch(iteration, len(training.training_images), settings.batch_size)
        given = outputs.batch([training.training_images[place] for place in chosen])
        losses.append(student.step(iteration, *given))
        done = iteration + 1
        if not isfinite(losses[-1]):
            return best, history.ended(BROKEN), warning
        if done % settings.eval_iterations == 0 or done == settings.iterations:
            weights = student.weights()
            latest = _evaluated(training, done, float(np.mean(losses)), weights)
            if latest.error < history.best.error:
                best = weights
            history = history.with_evaluation(latest, time.monotonic() - since)
            Checkpoint(student.state(), best, history).write(checkpoint)
            losses, since = [], time.monotonic()
        loss = f"loss {losses[-1] if losses else latest.loss:.4f}"
        report(done, settings.iterations, f"{loss}, drop about {history.best.points_lost:.2f}")
    why = REACHED if _reached(history, settings) else LAST
    return best, history.ended(why), warning


def _reached(history: History, settings: Distillation) -> bool:
    target = settings.target_drop
    return target is not None and history.best.points_lost <= target


def _resumed(training: Training, path: Path) -> tuple[Checkpoint, str | None]:
    """Where the training stands, with the student as it was there; and what was wrong."""
    student, warning = training.student, None
    if path.exists():
        try:
            found = Checkpoint.read(path)
            student.restore(found.state)
            return found, None
        except (UnreadableError, ValueError) as error:
            warning = f"training starts from scratch: {error}"
    start = _evaluated(training, 0, None, student.weights())
    return Checkpoint(student.state(), None, History((start,))), warning


def _evaluated(
    training: Training, iteration: int, loss: float | None, weights: Arrays
) -> Evaluation:
    error = training.error(weights)
    return Evaluation(iteration, loss, error, metrics()[training.metric].points_lost(error))
