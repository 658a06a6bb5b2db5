"""Runs apart in time: how far their figures differ, and how far they do on identical code.

What a machine does differs from run to run by more than an interval inside of one run says. So the
error of a difference comes from several runs, or from what several runs elsewhere showed. Figures
are times and ratios; all arithmetic is on their natural logarithms.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from fqbench.measure.stats import CONFIDENCE, Interval

FEWEST_RUNS = 5
"""Fewer tell so little about the spread that Student's t makes intervals wider than a default."""


@dataclass(frozen=True)
class Spread:
    """Standard deviation of a figure's logarithm between runs, known with ``degrees`` of freedom.

    ``sd`` of 0.02 is 2 %.
    """

    sd: float
    degrees: int


IN_KERNELS = Spread(0.02, 5)
"""Of times in units of a reference kernel. Of six runs of eight cells on a loaded machine
(``tools/between_runs.py``) no two differed by more than 2.3 times the error that comes of this and
of the runs' own."""

RAW = Spread(0.04, 5)
"""Of shortest times in ms; twice as much, since on another day the clock may be another."""

RATIOS = Spread(0.02, 5)
"""Of FP32 over INT8 time, timed in turns."""


@dataclass(frozen=True)
class Figures:
    """A figure's logarithm in each run of a side.

    ``error``: standard error of their mean by what the runs say of themselves, 0 where nothing.
    """

    logs: tuple[float, ...]
    error: float = 0.0

    @property
    def mean(self) -> float:
        """The figure itself: the geometric mean over runs."""
        return math.exp(statistics.fmean(self.logs))


@dataclass(frozen=True)
class Change:
    """Logarithm of HEAD's figure over BASE's, its standard error and the degrees of freedom."""

    log: float
    error: float
    degrees: int

    @property
    def factor(self) -> Interval:
        """HEAD's figure over BASE's: 1.05 is 5 % more."""
        reach = float(special.stdtrit(self.degrees, (1 + CONFIDENCE) / 2)) * self.error
        return Interval(*(_exp(self.log + step) for step in (0, -reach, reach)))

    def p_above(self, tolerance: float) -> float:
        """One-sided p-value of the hypothesis that the factor is at most 1 + ``tolerance``."""
        return _tail(self.log - math.log1p(tolerance), self.error, self.degrees)

    def p_below(self, tolerance: float) -> float:
        """One-sided p-value of the hypothesis that the factor is at least 1/(1 + ``tolerance``)."""
        return _tail(-self.log - math.log1p(tolerance), self.error, self.degrees)

    def visible(self, tolerance: float, alpha: float) -> float:
        """The smallest factor, less 1, that ``p_above`` gives ``alpha`` for."""
        reach = float(special.stdtrit(self.degrees, 1 - alpha)) * self.error
        return (1 + tolerance) * _exp(reach) - 1


def spread(logs: Sequence[float], default: Spread) -> Spread:
    """What the runs of a baseline show, where there are enough of them; else ``default``."""
    if len(logs) < FEWEST_RUNS:
        return default
    return Spread(statistics.stdev(logs), len(logs) - 1)


def change(base: Figures, head: Figures, default: Spread) -> Change:
    """HEAD against BASE, which both have a run at least.

    The spread is that of BASE's runs or ``default``. Where the runs themselves are less certain
    than that, their own errors count.
    """
    between = spread(base.logs, default)
    error = between.sd * math.sqrt(1 / len(base.logs) + 1 / len(head.logs))
    return Change(
        statistics.fmean(head.logs) - statistics.fmean(base.logs),
        max(error, math.hypot(base.error, head.error)),
        between.degrees,
    )


def _exp(log: float) -> float:
    """Finite, whatever a few runs of a wild machine say."""
    return math.exp(min(log, 100.0))


def _tail(excess: float, error: float, degrees: int) -> float:
    if error == 0:
        return 0.0 if excess > 0 else 1.0
    return float(special.stdtr(degrees, -excess / error))
