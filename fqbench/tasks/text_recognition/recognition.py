"""Networks that read one line: scores of letters at each step along it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fqbench.spec.preprocessing import TextLine
from fqbench.tasks.recognition import Guess, Recognition, Seen, are_probabilities
from fqbench.tasks.record import Answers, Outputs
from fqbench.tasks.text_recognition.decode import METADATA, Ctc
from fqbench.vision.normalization import SYMMETRIC, usual

HEIGHTS = (32, 48, 64)
"""Pixels that lines are resized to."""

LONGER = 2
"""A line is at least so many times as wide as high."""

LEAST_LETTERS = 11

MISSING = (
    "decode.characters, the letters in the order of the model's scores: the file does not note them"
)


def _guesses(seen: Seen) -> Iterator[Guess]:
    height, width = seen.size
    if seen.exported_task is not None or height not in HEIGHTS or width < LONGER * height:
        return
    shape = seen.shapes[0] if len(seen.shapes) == 1 else ()
    if len(shape) != 3 or shape[0] != 1 or shape[1] < 2 or shape[2] < LEAST_LETTERS:
        return
    ways = tuple(
        usual(TextLine(kind="line", size=seen.size), SYMMETRIC, color) for color in ("bgr", "rgb")
    )
    letters = len(seen.metadata.get(METADATA, "").removesuffix("\n").split("\n"))
    if METADATA in seen.metadata and shape[2] - letters in (1, 2):
        why = f"the file notes {letters} letters, and the output scores {shape[2]} at each step"
        yield Guess(Ctc(kind="ctc"), "sure", why, ways)
        return
    found = f"{shape[2]} scores at each of {shape[1]} steps along a line"
    sums = are_probabilities(seen.outputs[0][0])
    yield Guess(Ctc(kind="ctc"), "likely" if sums else "guess", found, ways, missing=(MISSING,))


def _confidence(outputs: Sequence[Outputs], answers: Answers) -> float:
    """The mean score of the letters that were read; 0 where there are none."""
    scores = [float(each.scores.mean()) for each in answers if len(each.scores)]
    return float(np.sum(scores)) / max(1, len(answers))


RECOGNITION = Recognition(lambda seen: tuple(_guesses(seen)), _confidence)
