"""Accuracy in points, and the drop from FP32 to INT8 on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fqbench.data import EvaluationSet
from fqbench.errors import StepError
from fqbench.measure.prediction import Prediction
from fqbench.measure.stats import Interval, central
from fqbench.tasks.record import Task, Weights
from fqbench.tasks.registry import format_of

RESAMPLES = 1000
BLOCK = 50
"""Resamples that are drawn together."""


def accuracy(task: Task, data: EvaluationSet, predictions: Sequence[Prediction]) -> float:
    """The metric of ``task`` on the data set, in points of 0 to 100.

    Raises StepError unless there is one of the task's answers for each image.
    """
    return task.metric.points(data, answers_of(task, data, predictions))


def drop(
    task: Task,
    data: EvaluationSet,
    fp32: Sequence[Prediction],
    int8: Sequence[Prediction],
    seed: int = 0,
) -> Interval:
    """Accuracy lost from ``fp32`` to ``int8`` in points, with a 95 % confidence interval.

    Raises StepError as ``accuracy``.
    """
    return lost(*(resampled(task, data, side, seed) for side in (fp32, int8)))


def resampled(
    task: Task, data: EvaluationSet, predictions: Sequence[Prediction], seed: int = 0
) -> NDArray[np.float64]:
    """Accuracy in points on the data set itself, then on each resample of its images.

    The same ``seed`` draws the same images. Raises StepError as ``accuracy``.
    """
    answers = answers_of(task, data, predictions)
    images = [sample.path for sample in data.samples]
    place = {path: number for number, path in enumerate(dict.fromkeys(images))}
    # What is in one image is drawn together: it is alike.
    of_samples = [place[path] for path in images]
    drawn = (block[:, of_samples] for block in image_weights(len(place), seed))
    return task.metric.weighted(data, answers, drawn)


def lost(fp32: NDArray[np.float64], int8: NDArray[np.float64]) -> Interval:
    """What ``int8`` lost against ``fp32``, both from ``resampled`` with one seed.

    The interval is a paired bootstrap's (Efron, Tibshirani 1993, chapter 13): the same images
    are drawn for both sides, so that hard images do not count as a difference.
    """
    losses = fp32 - int8
    low, high = central(losses[1:])
    return Interval(float(losses[0]), low, high)


def image_weights(images: int, seed: int) -> Iterator[Weights]:
    """Every image once, then how often each is drawn when as many are drawn as there are.

    ``RESAMPLES`` draws, in blocks: together they would fill the memory for a large data set.
    """
    yield np.ones((1, images))
    random, chances = np.random.default_rng(seed), np.full(images, 1 / images)
    for start in range(0, RESAMPLES, BLOCK):
        draws = random.multinomial(images, chances, size=min(BLOCK, RESAMPLES - start))
        yield draws.astype(np.float64)


def answers_of(task: Task, data: EvaluationSet, predictions: Sequence[Prediction]) -> list[object]:
    """One answer per image, in the order of the data set. Raises StepError as ``accuracy``."""
    answers = {p.image_id: p.answer for p in predictions}
    missing = [s for s in data.samples if s.image_id not in answers]
    if missing:
        raise StepError(f"image {missing[0].path.name} has no prediction")
    if len(predictions) > len(data.samples):
        raise StepError(f"there are {len(predictions)} predictions for {len(data.samples)} images")
    for answer in answers.values():
        if not isinstance(answer, task.answers.answer_type):
            raise StepError(
                f"the model gave {format_of(answer).name} for an image, its data set expects"
                f" {task.answers.name}"
            )
    return [answers[s.image_id] for s in data.samples]
