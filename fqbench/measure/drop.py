"""A drop of accuracy in words: what is negative was gained, and is called so."""

from __future__ import annotations

from fqbench.measure.stats import Interval

DIGITS = 2
"""Of points, as sentences have them."""


def word(drop: float, loss: str = "drop", gain: str = "gain") -> str:
    """What a drop in points is called: ``gain`` where it is negative as it is shown."""
    return gain if round(drop, DIGITS) < 0 else loss


def magnitude(drop: Interval) -> Interval:
    """How much was lost or gained, in points, by the ``word`` of it: rounded, the value 0 or more.

    The ends are negative where they are on the other side: a gain of 0.5 (-0.2 to 1.2) may be a
    loss of 0.2.
    """
    low, value, high = (round(end, DIGITS) for end in (drop.low, drop.value, drop.high))
    # Adding zero takes the sign from what is rounded to it.
    if value < 0:
        return Interval(-value + 0.0, -high + 0.0, -low + 0.0)
    return Interval(value + 0.0, low + 0.0, high + 0.0)


def with_interval(drop: Interval) -> str:
    """``0.71 (0.10 to 1.32)``, to follow the drop's ``word``."""
    size = magnitude(drop)
    return f"{size.value:.2f} ({size.low:.2f} to {size.high:.2f})"
