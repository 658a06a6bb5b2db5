"""How many texts are read exactly, and how near the others are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import Answers, Metric, Weights
from fqbench.tasks.text_recognition.edits import similarity

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet

LOSS = 0.3
"""As measured on a detector, see ``fqbench.tasks.detection.metric``."""

Compare = Callable[[str, str], float]


def compared(text: str) -> str:
    """What counts of a text: letters and digits, lower case.

    As in the evaluation of scene text (IIIT5K, ICDAR). A text of other signs only counts whole.
    """
    letters = "".join(letter for letter in text.lower() if letter.isalnum())
    return letters or text


def _exact(wanted: str, found: str) -> float:
    return float(wanted == found)


def _scores(data: EvaluationSet, answers: Answers, compare: Compare) -> NDArray[np.float64]:
    """Of each text, 0 to 1."""
    from fqbench.tasks.text_recognition.dataset import TranscriptSet

    assert isinstance(data, TranscriptSet)
    texts = (data.texts[sample.image_id] for sample in data.samples)
    pairs = zip(texts, answers, strict=True)
    return np.array([compare(compared(text), compared(answer.text)) for text, answer in pairs])


def _points(compare: Compare, data: EvaluationSet, answers: Answers) -> float:
    return float(_scores(data, answers, compare).mean() * 100)


def _weighted(
    compare: Compare, data: EvaluationSet, answers: Answers, weights: Iterable[Weights]
) -> NDArray[np.float64]:
    scores = _scores(data, answers, compare)
    shares = [block @ scores / block.sum(axis=1) for block in weights]
    return np.asarray(np.concatenate(shares) * 100)


EXACT = Metric(
    name="exact",
    label="exact",
    unit="points",
    digits=2,
    meaning="the share of texts read exactly, case and punctuation ignored",
    typical=80.0,
    loss=LOSS,
    points=partial(_points, _exact),
    weighted=partial(_weighted, _exact),
)
EDITS = Metric(
    name="edits",
    label="1 - NED",
    unit="points",
    digits=2,
    meaning="1 minus the edit distance over the length of the longer text",
    typical=90.0,
    loss=LOSS,
    points=partial(_points, similarity),
    weighted=partial(_weighted, similarity),
)
