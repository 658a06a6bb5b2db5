"""Candidates by their figures: budgets, the front, the winner. Pure functions.

Nothing is decided by a value alone that its interval does not bear out: a candidate is inside a
budget, outside of it, or that is not known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fqbench.measure.margin import Standing, standing
from fqbench.measure.stats import Interval

Limit = Literal["drop", "ms", "size"]

NO_DROP = Interval(0.0, 0.0, 0.0)
"""Of the FP32 model, whatever runs it: drops are counted from it."""


@dataclass(frozen=True)
class Budget:
    """What a file may cost; None: as much as it likes.

    ``drop``: points that it may lose against FP32. ``ms``: milliseconds of an inference. ``size``:
    10^6 bytes.
    """

    drop: float | None = None
    ms: float | None = None
    size: float | None = None

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
        name: "not known" if (found := figures.of(name)) is None else standing(found, limit)
        for name, limit in budget.limits().items()
    }


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
    """What lies between a limit and the end of the figure's interval that would have to be within
    it (below 0: room that is left), and the limit; infinite where the figure is not known."""
    return [
        (math.inf if (found := figures.of(name)) is None else found.high - limit, limit)
        for name, limit in budget.limits().items()
    ]
