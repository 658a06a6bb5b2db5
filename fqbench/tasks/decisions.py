"""Decisions of two models on the same images: which both take, and what thresholds do to them.

For tasks whose answers are things with a score each: objects, persons, a class, a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.examination import OperatingPoint, Scores, Shift

Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]

SAME = 0.5
"""Things that overlap (IoU, OKS) by this much are the same."""

CONSIDERED = 0.05
"""Things up to this score are left out: they are many, and no threshold in use keeps them."""

THRESHOLDS = (0.25, 0.5)
"""Of scores, as users set them."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Decisions:
    """What one model found in one image.

    ``scores`` [n], 0 to 1, NaN where a thing has none. ``right`` [n]: whether the labels have it;
    ``counts`` [n]: whether it is neither right nor wrong (a crowd) where it does not. ``wanted``:
    how many things the labels have. None and all true without labels.
    """

    scores: Scores
    right: Flags | None = None
    counts: Flags | None = None
    wanted: int = 0

    def taken(self, threshold: float | None) -> Flags:
        """Whether each is a decision at the threshold [n]."""
        if threshold is None:
            return np.ones(len(self.scores), np.bool_)
        return np.asarray(self.scores >= threshold)


@dataclass(frozen=True)
class Paired:
    """FP32's and INT8's decisions for one image; ``same``: indices of things that both found."""

    fp32: Decisions
    int8: Decisions
    same: tuple[Indices, Indices]


def paired(
    likeness: NDArray[np.float64], scores: NDArray[np.floating[Any]]
) -> tuple[Indices, Indices]:
    """Which of FP32's things [n] are which of INT8's [m], by ``likeness`` [n, m] of ``SAME`` on.

    FP32's surest thing chooses first; each is given to one other at most.
    """
    left, first, second = likeness.copy(), list[int](), list[int]()
    for index in np.argsort(-scores, kind="stable").tolist() if left.size else ():
        best = int(left[index].argmax())
        if left[index, best] >= SAME:
            first.append(index)
            second.append(best)
            left[:, best] = -1.0
    return np.array(first, np.intp), np.array(second, np.intp)


def at(name: str, threshold: float | None, images: Iterable[Paired]) -> OperatingPoint:
    """What becomes of the decisions of all ``images`` at ``threshold``."""
    kept = lost = gained = lost_right = gained_right = 0
    labelled = True
    for image in images:
        before, after = image.fp32.taken(threshold), image.int8.taken(threshold)
        both = before[image.same[0]] & after[image.same[1]]
        gone, new = before.copy(), after.copy()
        gone[image.same[0][both]] = new[image.same[1][both]] = False
        kept, lost = kept + int(both.sum()), lost + int(gone.sum())
        gained += int(new.sum())
        if image.fp32.right is None or image.int8.right is None:
            labelled = False
        else:
            lost_right += int((gone & image.fp32.right).sum())
            gained_right += int((new & image.int8.right).sum())
    if not labelled:
        return OperatingPoint(name, threshold, kept, lost, gained, None, None)
    return OperatingPoint(name, threshold, kept, lost, gained, lost_right, gained_right)


def points(images: Sequence[Paired], best: float | None = None) -> tuple[OperatingPoint, ...]:
    """At each of ``THRESHOLDS``, and at ``best``, that of FP32's best F1; the least first."""
    asked = [(f"score {each:.2f}", each) for each in THRESHOLDS]
    if best is not None:
        asked.append((f"FP32's best F1, score {best:.2f}", best))
    return tuple(at(name, each, images) for name, each in sorted(asked, key=lambda point: point[1]))


def shift(images: Iterable[Paired], least: float = THRESHOLDS[0]) -> Shift | None:
    """How scores of what both found move, of things that FP32 gives at least ``least``."""
    before, after, places = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, np.intp)]
    for place, image in enumerate(images):
        one, other = image.fp32.scores[image.same[0]], image.int8.scores[image.same[1]]
        sure = (one >= least) & ~np.isnan(other)
        before.append(one[sure])
        after.append(other[sure])
        places.append(np.full(int(sure.sum()), place, np.intp))
    first, second = np.concatenate(before), np.concatenate(after)
    if not first.size:
        return None
    moved = second - first
    worst = int(moved.argmin())
    return Shift(
        pairs=len(moved),
        mean=float(moved.mean()),
        mean_absolute=float(np.abs(moved).mean()),
        worst=(float(first[worst]), float(second[worst])),
        image=int(np.concatenate(places)[worst]),
    )


def f1(found: Decisions, threshold: float) -> float:
    """F1 of one image at ``threshold``: 2 TP / (2 TP + FP + FN), 1 where nothing is to be found
    and nothing is. Raises ValueError without labels."""
    if found.right is None or found.counts is None:
        raise ValueError("there are no labels")
    taken = found.taken(threshold) & found.counts
    both = int(taken.sum()) + found.wanted
    return 2 * int((taken & found.right).sum()) / both if both else 1.0


def best_threshold(images: Iterable[Decisions]) -> float | None:
    """The score at which F1 over all ``images`` together is greatest; None where it is 0 at all,
    or without labels."""
    scores, right, wanted = [np.zeros(0)], [np.zeros(0, np.bool_)], 0
    for image in images:
        if image.right is None or image.counts is None:
            return None
        scores.append(image.scores[image.counts])
        right.append(image.right[image.counts])
        wanted += image.wanted
    sure, hits = np.concatenate(scores), np.concatenate(right)
    order = np.argsort(-sure, kind="stable")
    sure, true = sure[order], np.cumsum(hits[order])
    if not true.size or not true[-1]:
        return None
    # Of equal scores all are taken or none: only the last of them is a threshold.
    last = np.append(sure[1:] != sure[:-1], True)
    values = np.where(last, 2 * true / (np.arange(1, len(true) + 1) + wanted), -1.0)
    return float(sure[int(values.argmax())])


def each_alike(
    disagreement: Callable[[Sequence[_Answer], Sequence[_Answer]], float],
    fp32: Sequence[_Answer],
    int8: Sequence[_Answer],
) -> Scores:
    """How much the answers of each image have in common, by a ``disagreement`` of 0 to 1."""
    pairs = zip(fp32, int8, strict=True)
    found = [1.0 - disagreement([one], [other]) for one, other in pairs]
    return np.clip(np.array(found, np.float64), 0.0, 1.0)
