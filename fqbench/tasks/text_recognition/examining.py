"""Texts that FP32 and INT8 read, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fqbench.tasks.decisions import Decisions, Indices, Paired, at, paired, shift
from fqbench.tasks.examination import Comparison, Examination, Scores
from fqbench.tasks.text_recognition.answers import Word
from fqbench.tasks.text_recognition.edits import similarity
from fqbench.tasks.text_recognition.metric import compared

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet

SURE = 0.5
"""Mean score of the letters below which readers drop a text, as PaddleOCR's ``drop_score``."""


def compare(data: EvaluationSet | None, fp32: Sequence[Word], int8: Sequence[Word]) -> Comparison:
    """Which texts are read alike; case and punctuation are ignored, as by the metric."""
    wanted = _wanted(data)
    sides = [_decisions(wanted, answers) for answers in (fp32, int8)]
    images = [
        Paired(before, after, _same(one, other))
        for one, other, before, after in zip(fp32, int8, *sides, strict=True)
    ]
    points = (at("every text", None, images), at(f"mean score {SURE}", SURE, images))
    scores = [None if wanted is None else _scores(wanted, answers) for answers in (fp32, int8)]
    alike = np.array([_alike(*pair) for pair in zip(fp32, int8, strict=True)])
    return Comparison(scores[0], scores[1], alike, points, shift(images))


def says(answer: Word) -> str:
    """The text and its mean score."""
    if not answer.text:
        return "no text"
    return f"\u201c{answer.text}\u201d, {_mean(answer):.2f}"


def _wanted(data: EvaluationSet | None) -> list[str] | None:
    from fqbench.tasks.text_recognition.dataset import TranscriptSet

    if data is None:
        return None
    assert isinstance(data, TranscriptSet)
    return [data.texts[sample.image_id] for sample in data.samples]


def _scores(wanted: Sequence[str], answers: Sequence[Word]) -> Scores:
    pairs = zip(wanted, answers, strict=True)
    return np.array([similarity(compared(text), compared(each.text)) for text, each in pairs])


def _decisions(wanted: Sequence[str] | None, answers: Sequence[Word]) -> list[Decisions]:
    scores = [np.array([_mean(answer)]) for answer in answers]
    if wanted is None:
        return [Decisions(each) for each in scores]
    return [
        Decisions(sure, np.array([compared(text) == compared(answer.text)]), np.array([True]), 1)
        for text, answer, sure in zip(wanted, answers, scores, strict=True)
    ]


def _mean(answer: Word) -> float:
    """The mean score of the letters; 0 without any."""
    return float(answer.scores.mean()) if len(answer.scores) else 0.0


def _alike(fp32: Word, int8: Word) -> float:
    """How near both texts are; of one text 1 less what its mean score falls."""
    one, other = compared(fp32.text), compared(int8.text)
    return similarity(one, other) if one != other else 1.0 - max(_mean(fp32) - _mean(int8), 0.0)


def _same(one: Word, other: Word) -> tuple[Indices, Indices]:
    return paired(np.array([[float(compared(one.text) == compared(other.text))]]), np.ones(1))


EXAMINATION = Examination(
    measure="1 minus the edit distance over the length of the longer text",
    unit="texts",
    compare=compare,
    says=says,
)
