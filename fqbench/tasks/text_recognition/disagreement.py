"""How far the texts that a quantized model reads are from FP32's."""

from __future__ import annotations

from collections.abc import Sequence

from fqbench.tasks.record import AnswerComparison
from fqbench.tasks.text_recognition.answers import Word
from fqbench.tasks.text_recognition.edits import common_score
from fqbench.tasks.text_recognition.metric import LOSS


def disagreement(wanted: Sequence[Word], found: Sequence[Word]) -> float:
    """1 minus the part of all letters' scores that both have: 0 alike, 1 nothing in common.

    A letter that only one has counts by its score, one that both have by the squared difference.
    """
    common = total = 0.0
    for one, other in zip(wanted, found, strict=True):
        total += float(one.scores.sum() + other.scores.sum())
        sure, others = one.scores.tolist(), other.scores.tolist()
        common += common_score(one.text, sure, other.text, others)
    return 1.0 - common / total if total > 0.0 else 0.0


def _informative(wanted: Sequence[Word]) -> bool:
    return any(word.text for word in wanted)


def _error(wanted: Sequence[Word], found: Sequence[Word]) -> float:
    """A text is lost with any of its letters, and most changed ones were correct."""
    letters = sum(len(word.text) for word in wanted) / len(wanted)
    return min(disagreement(wanted, found) * letters, 1.0) / LOSS


COMPARISON = AnswerComparison(
    settings=lambda settings: settings, informative=_informative, error=_error
)
