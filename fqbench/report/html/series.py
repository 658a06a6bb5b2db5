"""Times by run as a picture: points with intervals, and lines where something changed.

Drawn here and not by the plotting library, whose start alone takes longer than a page of the
history may. Pure: from numbers to coordinates, which ``templates/series.html.j2`` writes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fqbench.measure.stats import Interval
from fqbench.report.html.datatable import DataTable

MARGIN = 0.04
"""Of the frame that stays empty on each side."""

NEAR_END = 0.75
"""Of the frame; the note of a line further to the right stands to its left."""

MOST_LINEAR = 6.0
"""Largest over smallest value from which on the axis of times is logarithmic."""

MOST_TICKS = 6


@dataclass(frozen=True)
class Frame:
    """In which points are drawn, within a picture of ``width`` by ``height`` pixels."""

    width: int = 420
    height: int = 260
    left: int = 58
    right: int = 406
    top: int = 36
    bottom: int = 218


FRAME = Frame()


@dataclass(frozen=True)
class Measured:
    """A run with its time in ms; ``tip``: what is said of it."""

    run: int
    known: Interval
    tip: str


@dataclass(frozen=True)
class Dot:
    """A point at ``x``, ``y`` whose interval reaches from ``low`` to ``high``."""

    x: float
    y: float
    low: float
    high: float
    tip: str


@dataclass(frozen=True)
class Tick:
    """What stands on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class ChangeLine:
    """A line between two runs with its note, at the height ``y``, which ends there if ``ends``."""

    x: float
    y: float
    note: str
    ends: bool


@dataclass(frozen=True)
class TimePlot:
    """A picture with its ``title``, what it shows (``about``), and its numbers."""

    title: str
    about: str
    dots: tuple[Dot, ...]
    times: tuple[Tick, ...]
    runs: tuple[Tick, ...]
    changes: tuple[ChangeLine, ...]
    numbers: DataTable
    frame: Frame = FRAME


def time_plot(
    title: str,
    about: str,
    measured: Sequence[Measured],
    changes: Sequence[tuple[int, str]],
    numbers: DataTable,
) -> TimePlot:
    """``measured``: one run at least; ``changes``: the first runs after them, with a note each."""
    ends = [end for each in measured for end in (each.known.low, each.known.high)]
    low, high = min(ends), max(ends)
    is_log = low > 0 and high / low > MOST_LINEAR
    y = _scale(low, high, FRAME.bottom, FRAME.top, math.log if is_log else float)
    numbered = [each.run for each in measured]
    x = _scale(min(numbered), max(numbered), FRAME.left, FRAME.right, float)
    dots = (
        Dot(x(each.run), y(each.known.value), y(each.known.low), y(each.known.high), each.tip)
        for each in measured
    )
    times = log_ticks(low, high) if is_log else ticks(low, high)
    runs = (n for n in ticks(min(numbered), max(numbered)) if n == round(n))
    return TimePlot(
        title,
        about,
        tuple(dots),
        tuple(Tick(y(value), plain(value)) for value in times),
        tuple(Tick(x(value), plain(value)) for value in runs),
        tuple(_line(x(run - 0.5), number, note) for number, (run, note) in enumerate(changes)),
        numbers,
    )


def ticks(low: float, high: float, most: int = MOST_TICKS) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten from ``low`` to ``high``, at most ``most``.

    >>> ticks(1.98, 2.31)
    (2.0, 2.1, 2.2, 2.3)
    """
    if high <= low:
        return (low,)
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(f * power for f in (1, 2, 5, 10, 20) if (high - low) / (f * power) <= most - 1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # Of neighbouring floats there may be no multiple between them.
    return tuple(_rounded(n * step) for n in range(first, last + 1)) or (low,)


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """1, 2 and 5 times powers of ten between positive ends; of many decades powers alone.

    >>> log_ticks(0.9, 12.0)
    (1.0, 2.0, 5.0, 10.0)
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if high / low < 100 else (1,)
    every = (_rounded(factor * 10.0**power) for power in powers for factor in factors)
    return tuple(each for each in every if low <= each <= high)


def plain(value: float) -> str:
    """A number without an exponent, and without digits that say nothing."""
    text = f"{value:.9f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _rounded(value: float) -> float:
    return float(f"{value:.10g}")


def _scale(
    low: float, high: float, start: float, end: float, of: Callable[[float], float]
) -> Callable[[float], float]:
    """From a value to pixels, so that ``low`` to ``high`` lie between ``start`` and ``end``."""
    first, last = of(low), of(high)
    width = (last - first) or 1.0
    empty = MARGIN * (end - start)
    begin = start + empty if last > first else (start + end) / 2
    return lambda value: round(begin + (of(value) - first) / width * (end - start - 2 * empty), 1)


def _line(x: float, number: int, note: str) -> ChangeLine:
    """Notes of neighbours stand at two heights."""
    ends = x > FRAME.left + NEAR_END * (FRAME.right - FRAME.left)
    return ChangeLine(x, FRAME.top - 6 - 14 * (number % 2), note, ends)
