"""Candidates by their figures: budgets, the front, the winner. Pure functions.

A candidate is inside a budget, outside of it, or that is not known: its whole interval decides.
Only the drop of accuracy may be judged as it was measured, see ``Budget.judge``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from fqbench.measure.margin import Standing, standing
from fqbench.measure.stats import Interval

Limit = Literal["drop", "ms", "size"]

Judge = Literal["estimate", "interval"]
"""Whether a drop is inside a limit as it was measured, or with all of its interval."""

JUDGES: tuple[Judge, ...] = get_args(Judge)
JUDGE: Judge = "estimate"

NO_DROP = Interval(0.0, 0.0, 0.0)
"""Of the FP32 model, whatever runs it: drops are counted from it."""


@dataclass(frozen=True)
class Budget:
    """What a file may cost; None: as much as it likes.

    ``drop``: points that it may lose against FP32; ``judge``: what of a drop has to be inside.
    ``ms``: milliseconds of an inference. ``size``: 10^6 bytes.
    """

    drop: float | None = None
    ms: float | None = None
    size: float | None = None
    judge: Judge = JUDGE

    def limits(self) -> Mapping[Limit, float]:
        """What is limited, and by how much."""
        found: dict[Limit, float | None] = {"drop": self.drop, "ms": self.ms, "size": self.size}
        return {name: limit for name, limit in found.items() if limit is not None}


@dataclass(frozen=True)
class Figures:
    """What is known of the candidate ``name``.

    ``ms`` of an inference; ``pace``: its time as a part of that of a candidate which all are timed
    in turns with, so that what slows the machine for a while is not in it; ``size`` in 10^6 bytes;
    ``drop`` in points, None where it is not known.
    """

    name: str
    ms: Interval
    pace: Interval
    size: float
    drop: Interval | None = None

    def of(self, limit: Limit) -> Interval | None:
        """The figure that ``limit`` bounds."""
        exactly = Interval(self.size, self.size, self.size)
        found: dict[Limit, Interval | None] = {"drop": self.drop, "ms": self.ms, "size": exactly}
        return found[limit]


def standings(figures: Figures, budget: Budget) -> dict[Limit, Standing]:
    """How a candidate stands to each limit of ``budget``."""
    return {
        name: "not known"
        if (found := judged(figures, name, budget)) is None
        else standing(found, limit)
        for name, limit in budget.limits().items()
    }


def judged(figures: Figures, limit: Limit, budget: Budget) -> Interval | None:
    """What of a figure has to be inside ``limit``: its interval, or a drop as it was measured."""
    found = figures.of(limit)
    if found is None or limit != "drop" or budget.judge == "interval":
        return found
    return Interval(found.value, found.value, found.value)


def proven(figures: Figures, budget: Budget) -> bool:
    """Whether the drop is inside with all of its interval, or is not limited."""
    return "drop" not in budget.limits() or (
        standings(figures, replace(budget, judge="interval"))["drop"] == "inside"
    )


def verdict(figures: Figures, budget: Budget) -> Standing:
    """Inside where it is so for every limit, outside where it is so for one of them."""
    found = standings(figures, budget).values()
    if "outside" in found:
        return "outside"
    return "not known" if "not known" in found else "inside"


def faster(one: Figures, other: Figures, doubt: float = 0.0) -> bool:
    """Whether ``one`` is certainly faster: their paces lie apart, by ``doubt`` of the time."""
    return one.pace.high * (1 + doubt) < other.pace.low


def as_accurate(one: Figures, other: Figures) -> bool:
    """Whether ``one`` certainly loses no more than ``other``.

    Gains are not counted: what loses nothing is as accurate as anything, evaluated or not.
    """
    if one.drop is None:
        return False
    return one.drop.high <= max(0.0, other.drop.low if other.drop is not None else 0.0)


def dominates(one: Figures, other: Figures) -> bool:
    """Whether ``one`` is certainly faster, loses no more, and is no larger."""
    return faster(one, other) and as_accurate(one, other) and one.size <= other.size


def front(candidates: Sequence[Figures]) -> tuple[Figures, ...]:
    """Those that none of the others dominates."""
    return tuple(c for c in candidates if not any(dominates(other, c) for other in candidates))


def winner(candidates: Iterable[Figures], budget: Budget) -> Figures | None:
    """The best of those that are inside ``budget``; None where none is.

    Where it limits the drop that is the fastest one, else the one that loses least.
    """
    inside = [each for each in candidates if verdict(each, budget) == "inside"]
    return min(inside, key=lambda each: merit(each, budget), default=None)


def merit(figures: Figures, budget: Budget) -> tuple[float, float]:
    """What candidates are ordered by, the best first."""
    if budget.drop is not None:
        return 0.0, figures.pace.value
    lost = math.inf if figures.drop is None else max(0.0, figures.drop.value)
    return lost, figures.pace.value


def runner_up(candidates: Iterable[Figures], first: Figures, budget: Budget) -> Figures | None:
    """What is nearest to winning instead of ``first``; None where there is no other.

    That is the best of those that would win, were they known to be inside, of these before others
    one that is inside as measured; else the next one that is inside; else the best of the others.
    """
    others = sorted((c for c in candidates if c != first), key=lambda each: merit(each, budget))
    better = [each for each in others if merit(each, budget) < merit(first, budget)]
    measured = [each for each in better if worst_excess(_as_measured(each), budget) <= 0]
    for among, wanted in (
        (measured, "not known"),
        (better, "not known"),
        (others, "inside"),
    ):
        found = next((each for each in among if verdict(each, budget) == wanted), None)
        if found is not None:
            return found
    return others[0] if others else None


def _as_measured(figures: Figures) -> Figures:
    """``figures`` as if they were known exactly."""
    ms, drop = figures.ms.value, figures.drop
    exact = None if drop is None else Interval(drop.value, drop.value, drop.value)
    return Figures(figures.name, Interval(ms, ms, ms), figures.pace, figures.size, exact)


def nearest(candidates: Iterable[Figures], budget: Budget) -> Figures | None:
    """The one that exceeds its worst limit least, in parts of the limit; None of none."""
    return min(candidates, key=lambda each: worst_excess(each, budget), default=None)


def worst_excess(figures: Figures, budget: Budget) -> float:
    """By how much the worst figure exceeds its limit, in parts of it."""
    return max((by / max(limit, 1e-9) for by, limit in _excesses(figures, budget)), default=0.0)


def excess(figures: Figures, budget: Budget) -> dict[Limit, float]:
    """By how much each figure exceeds its limit, in its unit, where it does or may."""
    found = standings(figures, budget)
    by = dict(zip(budget.limits(), (each for each, _ in _excesses(figures, budget)), strict=True))
    return {name: by[name] for name, held in found.items() if held != "inside"}


def _excesses(figures: Figures, budget: Budget) -> list[tuple[float, float]]:
    """What lies between a limit and what of the figure would have to be within it (below 0: room
    that is left), and the limit; infinite where the figure is not known."""
    return [
        (
            math.inf if (found := judged(figures, name, budget)) is None else found.high - limit,
            limit,
        )
        for name, limit in budget.limits().items()
    ]
