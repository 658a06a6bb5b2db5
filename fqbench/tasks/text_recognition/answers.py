"""What a text recognizer answers: letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import AnswerFormat

LETTER = np.dtype([("code", "<u4"), ("score", "<f4")])
"""One letter on the disk, by its number in Unicode."""


@dataclass(frozen=True)
class Word:
    """What was read, and how sure each of its letters is [letters], 0 to 1."""

    text: str
    scores: NDArray[np.float32]


def _rows(answer: Word) -> NDArray[np.void]:
    rows = np.empty(len(answer.text), LETTER)
    rows["code"], rows["score"] = [ord(letter) for letter in answer.text], answer.scores
    return rows


def _answers(rows: NDArray[Any], ends: Sequence[int]) -> Iterator[Word]:
    for start, end in pairwise([0, *ends]):
        text = "".join(map(chr, rows["code"][start:end].tolist()))
        yield Word(text, np.ascontiguousarray(rows["score"][start:end]))


def _checked(answer: Any) -> Word | None:
    if not isinstance(answer, Word):
        return None
    scores = np.asarray(answer.scores, np.float32)
    if scores.shape != (len(answer.text),) or not np.isfinite(scores).all():
        raise ValueError(f"scores of shape {list(scores.shape)} for {len(answer.text)} letters")
    return Word(answer.text, scores)


WORDS = AnswerFormat(
    answer_type=Word,
    name="a text",
    array="letters",
    dtype=LETTER,
    several=True,
    rows=_rows,
    answers=_answers,
    checked=_checked,
)
