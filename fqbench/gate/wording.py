"""What was found, in plain English."""

from __future__ import annotations

from fqbench.measure.stats import Interval


def change(slowdown: Interval) -> str:
    """How much more time HEAD takes: ``time changed by +5.1 % (+4.2 to +6.0)``."""
    # Adding zero takes the sign from what is rounded to it.
    value, low, high = (
        round(100 * (x - 1), 1) + 0.0 for x in (slowdown.value, slowdown.low, slowdown.high)
    )
    return f"time changed by {value:+.1f} % ({low:+.1f} to {high:+.1f})"


def points(loss: Interval) -> str:
    """How much accuracy was lost: ``0.30 points (0.10 to 0.50)``."""
    return f"{loss.value:.2f} points ({loss.low:.2f} to {loss.high:.2f})"


def unclear(slowdown: Interval, tolerance: float) -> str:
    """Why an interval does not tell whether HEAD is within the tolerance."""
    if slowdown.low > 1:
        told = f"neither surely within nor surely beyond {100 * tolerance:.1f} %"
    else:
        width = 100 * (slowdown.high - slowdown.low)
        told = f"{width:.1f} % wide, too wide to tell {100 * tolerance:.1f} % from none"
    return f"{change(slowdown)}, {told}"
