"""Which candidates are worth more time: pure functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fqbench.best.front import Budget, Figures, as_accurate, faster, standings

DOUBT = 0.05
"""What two starts of a process may differ by, beside what an interval of few launches tells."""


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
    return standings(one, Budget(drop=budget.drop, judge=budget.judge))["drop"] == "inside"


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
        budget.drop,
        None if budget.ms is None else budget.ms * (1 + doubt),
        budget.size,
        budget.judge,
    )
    inside = [each for each in left if "outside" not in standings(each, slower).values()]
    return tuple(inside or left)


def next_to_evaluate(
    candidates: Sequence[Figures], budget: Budget, failed: Collection[str] = ()
) -> Figures | None:
    """The fastest of those that may win and whose drop is not known; None where there is none."""
    among = hopeful([each for each in candidates if each.name not in failed], budget, DOUBT)
    return next((each for each in among if each.drop is None), None)
