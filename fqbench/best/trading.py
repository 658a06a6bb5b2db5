"""Layers traded for speed: whether a point between INT8 and FP32 may win, and which. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fqbench.best.entry import Entry
from fqbench.best.front import Budget, Figures, merit, verdict
from fqbench.best.halving import DOUBT
from fqbench.tune.choice import ACCURACY, Choice

LEAST_PART, LEAST = 0.1, 0.05
"""What INT8 is estimated to lose below this part of the budget, or this many points, is not worth
trading: whatever it lost on the evaluated images, layers in float would not regain it."""

ROOM = 1.5
"""How many times as fast a form is at most without the layers that are in float for accuracy."""


def kept_layers(choice: Choice) -> int:
    """How many layers are in float for their accuracy."""
    return list(choice.float_layers.values()).count(ACCURACY)


def why_not_traded(
    base: Entry, figures: Figures, best: Entry | None, budget: Budget, lost: float
) -> str | None:
    """Why no point of ``base`` can win; None where one may.

    ``figures``: of ``base``, or of FP32 where that ran in its place; ``best``: what would win by
    now; ``lost``: points that ``base`` is estimated to lose. Points with more layers in float are
    slower than ``base`` and lose less, those with fewer are faster and lose more.
    """
    assert base.choice is not None
    beaten_by = None if best is None else best.figures
    if budget.drop is None:
        if best is None or beaten_by is None or merit(beaten_by, budget)[0] > 0:
            return None
        return f"{best.candidate.label} is inside the budget and loses nothing"
    room = 1.0 if kept_layers(base.choice) == 0 else ROOM
    limit = float("inf") if beaten_by is None else room * (1 + DOUBT) * beaten_by.pace.high
    if best is not None and figures.pace.low > limit:
        return f"even with all layers in INT8 it is slower than {best.candidate.label}"
    if room > 1.0:
        return None
    if base.took_fp32:
        return "float is faster than INT8 in all layers"
    if verdict(figures, budget) == "inside":
        return "all layers that gain by it are in INT8 already, inside the budget"
    if lost < max(LEAST_PART * budget.drop, LEAST):
        return f"INT8 is estimated to lose {lost:.2f} points only, by calibration images"
    return None


def worth_making(
    points: Sequence[Choice],
    fp32_pace: float,
    best: Figures | None,
    budget: Budget,
    most_lost: float,
    points_lost: Callable[[float], float],
) -> list[int]:
    """Numbers of the ``points`` that may win, the fastest first.

    One is left out where it is estimated to take longer than ``best``, which is inside the budget,
    or to lose more than ``most_lost`` points. ``fp32_pace``: of FP32 of the runtime.
    """
    found = []
    for number, point in enumerate(points):
        assert point.slowdown is not None
        if budget.drop is not None:
            if best is not None and fp32_pace * point.slowdown > best.pace.high * (1 + DOUBT):
                continue
            if points_lost(point.error) > most_lost:
                continue
        found.append((point.slowdown, number))
    return [number for _, number in sorted(found)]


def most_lost(figures: Figures, budget: Budget) -> float:
    """Estimated points from which on a file cannot be inside: the budget, and what the images leave
    open, half of the interval of the drop that is known."""
    if budget.drop is None:
        return float("inf")
    return budget.drop + (0.0 if figures.drop is None else figures.drop.high - figures.drop.low) / 2
