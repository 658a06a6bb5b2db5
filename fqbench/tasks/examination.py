"""What a task says of single images: how well each is answered, and which decisions change.

An accuracy over all images may stay while single decisions change both ways, or while all scores
fall below the threshold that a user has set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet

Scores = NDArray[np.float64]
"""[images], 0 to 1 each."""


@dataclass(frozen=True)
class OperatingPoint:
    """What becomes of decisions at one threshold.

    ``name``: what it is, in words; ``threshold``: of scores, None where every answer is a decision.
    ``kept``: decisions of FP32 that INT8 takes too; ``lost``: those that it does not; ``gained``:
    INT8's that FP32 does not take. ``lost_right``, ``gained_right``: those of them that are right
    by the labels; None without labels.
    """

    name: str
    threshold: float | None
    kept: int
    lost: int
    gained: int
    lost_right: int | None
    gained_right: int | None


@dataclass(frozen=True)
class Shift:
    """How scores of the same decisions move from FP32 to INT8.

    ``pairs``: as many are compared; ``mean``: of INT8's score minus FP32's; ``mean_absolute``: of
    its absolute value. ``worst``: FP32's and INT8's score where it falls most, and ``image``: the
    place of that image in the data set.
    """

    pairs: int
    mean: float
    mean_absolute: float
    worst: tuple[float, float]
    image: int


@dataclass(frozen=True)
class Comparison:
    """FP32's and INT8's answers for the images of a data set.

    ``measured_at``: what the scores of images depend on beside their answers, in words; may be
    empty. ``fp32``, ``int8``: how well each image is answered; None without labels. ``alike``: how
    much the answers of an image have in common, 1 all, 0 nothing. ``points``: the least strict
    first. ``shift``: None where answers have no scores, or none are of the same decision.
    """

    fp32: Scores | None
    int8: Scores | None
    alike: Scores
    points: tuple[OperatingPoint, ...]
    shift: Shift | None
    measured_at: str = ""


@dataclass(frozen=True)
class Examination:
    """How answers of a task are looked at, image by image."""

    measure: str
    """What the score of an image is, in a few words: ``F1 at IoU 0.5``."""

    unit: str
    """Decisions, in the plural: ``detections``."""

    compare: Callable[[EvaluationSet | None, Sequence[Any], Sequence[Any]], Comparison]
    """FP32's and INT8's answers, in the order of the data set; None where it holds no labels.
    Raises StepError where answers do not fit the data."""

    says: Callable[[Any], str]
    """An answer in a few words, as a picture of it is described: ``class 7, 0.93``."""
