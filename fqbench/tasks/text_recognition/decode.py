"""From scores of letters at each step along a line to the text (CTC)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError, UsageError
from fqbench.tasks.record import DecodeFunction, Decoder, DecoderSettings, Outputs, Shape, Size
from fqbench.tasks.shapes import FREE, finite, unexpected_outputs, unexpected_shapes
from fqbench.tasks.text_recognition.answers import Word
from fqbench.tasks.text_recognition.disagreement import COMPARISON
from fqbench.vision.geometry import Geometry

LAYOUT = "one output [1, steps, letters + 1 or 2]"

LARGEST = 1.05
"""A quantized probability may end a step beyond 1."""

METADATA = "character"
"""Where PaddleOCR's exports note the letters, one a line."""


class Ctc(DecoderSettings):
    """Scores of "no letter", of each of ``characters``, and of a space where there is one more.

    By default the characters are those that the model's file notes.
    """

    kind: Literal["ctc"]
    characters: tuple[str, ...] = ()


def _decoder(settings: Ctc, size: Size) -> DecodeFunction:
    return partial(_read, settings)


def _read(decode: Ctc, outputs: Outputs, geometry: Geometry) -> Word:
    """The best at each step; a repeated one is one letter, and "no letter" none (Graves et al.,
    "Connectionist Temporal Classification", 2006)."""
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] != 1:
        raise unexpected_outputs(outputs, LAYOUT)
    if shape[2] - len(decode.characters) not in (1, 2):
        raise StepError(
            f"the output scores {shape[2]} letters, decode.characters has {len(decode.characters)}:"
            " with none and a space, expected one or two less"
        )
    scores = _probabilities(finite(outputs[0][0]))
    letters = ("", *decode.characters, " ")
    best = scores.argmax(axis=1)
    counts = (best != 0) & (best != np.concatenate([[-1], best[:-1]]))
    read = [(letters[best[step]], scores[step, best[step]]) for step in np.flatnonzero(counts)]
    # A character may be written by several letters.
    each = [score for text, score in read for _ in text]
    return Word("".join(text for text, _ in read), np.array(each, np.float32))


def _probabilities(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """``scores`` [steps, letters] as they are, where all are 0 to 1; else their softmax."""
    if scores.min() >= 0 and scores.max() < LARGEST:
        return scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _completed(settings: Ctc, metadata: Mapping[str, str]) -> Ctc:
    if settings.characters:
        return settings
    noted = metadata.get(METADATA, "")
    if not noted:
        raise UsageError(
            f"the file notes no characters (metadata {METADATA!r}): list them by decode.characters"
        )
    characters = noted.removesuffix("\n").split("\n")
    return settings.model_copy(update={"characters": tuple(c.rstrip("\r") for c in characters)})


def _classes(settings: Ctc, size: Size, outputs: Sequence[Shape]) -> int | None:
    """Letters are no classes of a data set."""
    shape = outputs[0] if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] not in (FREE, 1):
        raise unexpected_shapes(settings.kind, outputs, LAYOUT)
    return None


CTC = Decoder(
    settings=Ctc,
    function=_decoder,
    imports=None,
    classes_of=_classes,
    recognizes=None,
    inputs=frozenset(),
    with_nms=None,
    completed=_completed,
    comparison=COMPARISON,
    rows=None,
)
