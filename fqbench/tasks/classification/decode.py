"""From one score a class to the class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.tasks.classification.answers import TopClass
from fqbench.tasks.record import DecodeFunction, Decoder, DecoderSettings, Outputs, Shape, Size
from fqbench.tasks.shapes import FREE, unexpected_outputs, unexpected_shapes
from fqbench.vision.geometry import Geometry

ROUNDING = 0.1
"""By how much the sum of probabilities may differ from 1: INT8 models round each of them."""


class Logits(DecoderSettings):
    """One score a class; the greatest is the answer."""

    kind: Literal["logits"]


def _decode(settings: Logits, size: Size) -> DecodeFunction:
    return _greatest


def _greatest(outputs: Outputs, geometry: Geometry) -> TopClass:
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) < 2 or shape[0] != 1 or not 0 < outputs[0].size == max(shape):
        raise unexpected_outputs(outputs, "one output [1, classes]")
    # A logarithm of a probability 0 is a sound -inf.
    if np.isnan(outputs[0]).any():
        raise StepError("the model's output holds NaN")
    values = outputs[0].reshape(-1).astype(np.float64)
    best = int(np.argmax(values))
    return TopClass(best, probability(values, best))


def probability(values: NDArray[np.float64], label: int) -> float:
    """That of class ``label``, of one value a class; NaN where it is infinite.

    Values that are probabilities already (0 to 1, their sum about 1) are taken as they are, others
    by softmax: of logits, or of logarithms of probabilities.
    """
    if values.min() >= 0.0 and values.max() <= 1.0 and abs(values.sum() - 1.0) <= ROUNDING:
        return float(values[label])
    if not np.isfinite(values[label]):
        return float("nan")
    powers = np.exp(values - values.max())
    return float(powers[label] / powers.sum())


def _classes(settings: Logits, size: Size, outputs: Sequence[Shape]) -> int | None:
    shape = outputs[0] if len(outputs) == 1 else ()
    # Exporters leave ones behind: [1, classes, 1, 1] is read, too.
    if len(shape) < 2 or shape[0] not in (FREE, 1) or sum(size > 1 for size in shape) > 1:
        raise unexpected_shapes(settings.kind, outputs, "one of [1, classes]")
    return max(shape) if FREE not in shape[1:] else None


LOGITS = Decoder(
    settings=Logits,
    function=_decode,
    imports=None,
    classes_of=_classes,
    recognizes=None,  # What any decoder may end in.
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=None,  # A class says less of a small change than its score does.
    rows=None,
)
