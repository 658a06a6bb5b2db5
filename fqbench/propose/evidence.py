"""What outcomes of trials show, and how surely. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import DecoderSettings

LEVEL = 0.01
"""The chance, at most, that images show by accident what is then called sure."""

HINT = 0.1
"""The same for what is called likely, and for leaving what is usual."""

CLEARLY = 3.0
"""So many times as decided are answers that change a usual choice where there are no labels: an
input that is scaled far too large makes many answers somewhat more decided, and wrong."""


@dataclass(frozen=True)
class Candidate:
    """A way to feed a model and to read it. ``preprocess``: a ``Preprocess``."""

    task: str
    decode: DecoderSettings
    preprocess: object


@dataclass(frozen=True)
class Outcome:
    """What a candidate came to on some images.

    ``points``: its metric's on all, ``each`` on each [images], ``others``: of each image's labels
    with the answer to another image. None without labels. ``confidence``: without labels.
    ``failure``: why there is nothing of this. ``images``: how many it was tried on.
    """

    points: float | None = None
    each: NDArray[np.float64] | None = None
    others: NDArray[np.float64] | None = None
    confidence: float | None = None
    failure: str | None = None
    images: int = 0

    @property
    def value(self) -> float:
        """What is compared: points or confidence; less than any where it failed."""
        found = self.points if self.points is not None else self.confidence
        return -1.0 if found is None or self.failure is not None else found


def chance(better: NDArray[np.float64], worse: NDArray[np.float64]) -> float:
    """The chance that, of images that differ, so many or more are better if neither is.

    The sign test, exact: images on which both are equal say nothing. 1 where none differs.
    """
    wins, losses = int((better > worse).sum()), int((better < worse).sum())
    count = wins + losses
    return sum(comb(count, k) for k in range(wins, count + 1)) / 2.0**count


def beats(one: Outcome, other: Outcome, level: float = LEVEL) -> bool:
    """Whether labels show that ``one`` is better than ``other``, but for a chance of ``level``."""
    if one.each is None or one.failure is not None:
        return False
    if other.failure is not None:
        return True
    return other.each is not None and chance(one.each, other.each) <= level


def answers_images(outcome: Outcome, level: float = LEVEL) -> bool:
    """Whether the answers fit their own images better than other images', but for a chance of
    ``level``."""
    if outcome.each is None or outcome.others is None:
        return False
    return chance(outcome.each, outcome.others) <= level


def shared(level: float, rivals: int) -> float:
    """The level for each of so many that are tried, so that any is found by chance at ``level``.

    Bonferroni's: a tenth for each of three finds one of them in almost three of ten cases.
    """
    return level / max(rivals, 1)


def better(new: Outcome, old: Outcome, *, rivals: int | None = None) -> bool:
    """Whether a choice changes: by labels to what scores more, else to what is clearly decided.

    ``rivals``: how many are tried in place of the old one, where it is what nearly all such models
    have, so that labels have to show that this one has not.
    """
    if new.failure is not None or new.value <= 0:
        return False
    if old.failure is not None:
        return True
    if new.points is None:
        return new.value > CLEARLY * max(old.value, 0)
    if rivals is not None and not beats(new, old, shared(HINT, rivals)):
        return False
    return new.value > old.value
