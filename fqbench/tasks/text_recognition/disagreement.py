"""How far the texts that a quantized model reads are from FP32's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fqbench.tasks.record import AnswerComparison
from fqbench.tasks.text_recognition.answers import Word
from fqbench.tasks.text_recognition.metric import LOSS, compared


def expected_loss(wanted: Sequence[Word], found: Sequence[Word]) -> float:
    """The part of texts that ``found`` is expected to lose of those that ``wanted`` has right.

    By the mean square of what each text's score changes: the product of its letters' scores, how
    sure it is that all are right. It moves little where a text is about to change, so a few images
    show what many would. Of a text that ``found`` does not read any more, its score there is not
    known: it is no more than that of the other, or than what that leaves. Case and punctuation,
    which the metric does not look at, do not count.
    """
    lost = 0.0
    for one, other in zip(wanted, found, strict=True):
        (text, sure), (read, as_sure) = _judged(one), _judged(other)
        left = as_sure if text == read else min(as_sure, 1.0 - as_sure)
        lost += (sure - left) ** 2
    return lost / len(wanted) if wanted else 0.0


def _judged(word: Word) -> tuple[str, float]:
    """What counts of a text, and how sure it is."""
    counts = [letter.isalnum() for letter in word.text]
    scores = word.scores[counts] if any(counts) else word.scores
    return compared(word.text), float(scores.astype(np.float64).prod())


def _informative(wanted: Sequence[Word]) -> bool:
    return any(word.text for word in wanted)


def _error(wanted: Sequence[Word], found: Sequence[Word]) -> float:
    return expected_loss(wanted, found) / LOSS


COMPARISON = AnswerComparison(
    settings=lambda settings: settings, informative=_informative, error=_error
)
