"""Which candidates are worth more time: pure functions."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from fqbench.best.front import Budget, Figures, as_accurate, faster, standings
from fqbench.measure.margin import images_needed
from fqbench.measure.stats import Interval

DOUBT = 0.05
"""What two starts of a process may differ by, beside what an interval of few launches tells."""

OTHERWISE = 0.01
"""The part of the images that an INT8 model typically answers otherwise, to plan with."""


def beats(one: Figures, other: Figures, budget: Budget, doubt: float = 0.0) -> bool:
    """Whether ``other`` cannot win because of ``one``, which is faster beyond ``doubt``.

    ``one`` is certainly inside the limit of the drop or, where there is none, as accurate, and
    inside the others' where ``other`` is.
    """
    if not faster(one, other, doubt):
        return False
    if budget.size is not None and other.size <= budget.size < one.size:
        return False
    if budget.ms is not None and one.ms.high > budget.ms >= other.ms.high:
        return False
    if budget.drop is None:
        return as_accurate(one, other)
    return standings(one, Budget(drop=budget.drop))["drop"] == "inside"


def beaten(candidates: Sequence[Figures], budget: Budget, doubt: float = 0.0) -> dict[str, str]:
    """The candidates that cannot win, each with the fastest of those that beat it."""
    ordered = sorted(candidates, key=lambda each: each.pace.value)
    found = {}
    for each in candidates:
        by = next((one for one in ordered if beats(one, each, budget, doubt)), None)
        if by is not None:
            found[each.name] = by.name
    return found


def hopeful(
    candidates: Sequence[Figures], budget: Budget, doubt: float = 0.0
) -> tuple[Figures, ...]:
    """Those that may still win, the fastest first.

    Where all are outside of a limit these are all that are not beaten: one is the nearest.
    """
    out = beaten(candidates, budget, doubt)
    left = sorted((c for c in candidates if c.name not in out), key=lambda each: each.pace.value)
    slower = Budget(
        budget.drop, None if budget.ms is None else budget.ms * (1 + doubt), budget.size
    )
    inside = [each for each in left if "outside" not in standings(each, slower).values()]
    return tuple(inside or left)


def next_to_evaluate(
    candidates: Sequence[Figures], budget: Budget, failed: Collection[str] = ()
) -> Figures | None:
    """The fastest of those that may win and whose drop is not known; None where there is none."""
    among = hopeful([each for each in candidates if each.name not in failed], budget, DOUBT)
    return next((each for each in among if each.drop is None), None)


def too_few_images(budget: Budget, images: int) -> str | None:
    """Why ``images`` evaluated images cannot tell the drop of ``budget``; None where they can.

    As if a file answered ``OTHERWISE`` of them otherwise than FP32, right as often as wrong.
    """
    if budget.drop is None:
        return None
    reach = 1.96 * 100 * math.sqrt(OTHERWISE / images)
    if reach <= budget.drop:
        return None
    needed = images_needed(Interval(0.0, -reach, reach), budget.drop, images)
    more = "no number of images would" if needed is None else f"about {needed} would"
    return (
        f"{images} images hardly tell a drop of {budget.drop:g} points: where 1 % of them are"
        f" answered otherwise, a drop is known to {reach:.2f} points only; {more} tell. What is not"
        " known to be inside does not win"
    )
