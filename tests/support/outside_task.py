"""A task as another package would bring it: two guesses an image, one of which is to be right.

It brings a kind of data sets as well: a JSON file with the class of each image.

Tests copy this module into a package of its own: it imports nothing of the tests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from fqbench.data import EvaluationSet, Sample
from fqbench.tasks.classification.decode import LOGITS
from fqbench.tasks.examination import Comparison, Examination
from fqbench.tasks.record import (
    AnswerFormat,
    DatasetKind,
    DatasetSettings,
    Decoder,
    DecoderSettings,
    Metric,
    Task,
)


class Guesses(DecoderSettings):
    """The classes of the best scores."""

    kind: Literal["guesses"]
    count: Annotated[int, Field(gt=0)] = 2


class Named(DatasetSettings):
    """A folder of images, and a file with the class of each by its name."""

    kind: Literal["named"]
    images: Path
    classes: Path
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] | None = None

    @property
    def truth(self):
        return self.classes


def read(dataset):
    classes = sorted(json.loads(dataset.classes.read_text()).items())
    return EvaluationSet(
        tuple(
            Sample(number, dataset.images / name, label)
            for number, (name, label) in enumerate(classes, start=1)
        )
    )


@dataclass(frozen=True)
class Guessed:
    """Classes, the best score first."""

    labels: tuple[int, ...]


def decode(settings, size):
    def best(outputs, geometry):
        return Guessed(tuple(np.argsort(-outputs[0].reshape(-1))[: settings.count].tolist()))

    return best


def hits(data, answers):
    return np.array([s.label in a.labels for s, a in zip(data.samples, answers, strict=True)])


def points(data, answers):
    return float(hits(data, answers).mean() * 100)


def weighted(data, answers, weights):
    found = hits(data, answers)
    return np.concatenate([block @ found / block.sum(axis=1) * 100 for block in weights])


def compare(data, fp32, int8):
    sides = (fp32, int8)
    scores = (None if data is None else hits(data, side).astype(float) for side in sides)
    alike = np.array([float(a.labels == b.labels) for a, b in zip(fp32, int8, strict=True)])
    return Comparison(*scores, alike, (), None)


TASK = Task(
    decoders=(
        Decoder(
            settings=Guesses,
            function=decode,
            imports=None,
            classes_of=lambda settings, size, outputs: LOGITS.classes_of(settings, size, outputs),
            recognizes=None,
            inputs=frozenset(),
            with_nms=None,
            completed=None,
            comparison=None,
            rows=None,
        ),
    ),
    datasets=("imagenet", DatasetKind(settings=Named, read=read)),
    answers=AnswerFormat(
        answer_type=Guessed,
        name="guesses",
        array="guesses",
        dtype=np.dtype("<i8"),
        several=True,
        rows=lambda answer: np.array(answer.labels, "<i8"),
        answers=lambda rows, ends: (
            Guessed(tuple(rows[start:end].tolist())) for start, end in pairwise([0, *ends])
        ),
        checked=lambda answer: answer if isinstance(answer, Guessed) else None,
    ),
    metric=Metric(
        name="guessed",
        label="best of two",
        unit="points",
        digits=2,
        meaning="the share of images whose class is guessed",
        typical=100.0,
        loss=0.3,
        points=points,
        weighted=weighted,
    ),
    further=(),
    draw=lambda image, answer, scale: image,
    examination=Examination(
        measure="whether the class is guessed",
        unit="guesses",
        compare=compare,
        says=lambda answer: f"classes {answer.labels}",
    ),
    recognition=None,
)
