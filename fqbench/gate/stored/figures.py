"""Figures of a cell in each stored run, and their change from the runs of BASE to those of HEAD.

Figures are times and ratios; all arithmetic is on their natural logarithms. A machine differs from
run to run by more than an interval within one run shows. So the error of a change comes from
several runs, or from what several runs elsewhere showed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import scipy

from fqbench.gate.evidence import timed_rows, was_timed
from fqbench.gate.records import Run, StoredResults
from fqbench.measure.reference import kernel_of
from fqbench.measure.stats import CONFIDENCE, Interval
from fqbench.measure.undisturbed import NORMAL_95, fastest_ratio

DISTURBED = 0.25
"""Part of the way from a shortest time to the median; a rule of thumb as in ``fastest``."""

FEWEST_RUNS = 5
"""Fewer show so little of the spread that Student's t makes intervals wider than a default."""


@dataclass(frozen=True)
class RunSpread:
    """Standard deviation of a figure's logarithm between runs of identical code.

    It is estimated with ``degrees`` of freedom; an ``sd`` of 0.02 is 2 %.
    """

    sd: float
    degrees: int


KERNEL_UNITS = RunSpread(0.02, 5)
"""Of times in units of a reference kernel. Of six runs of eight cells on a loaded machine
(``tools/between_runs.py``) no two differed by more than 2.3 times the error that follows from this
and from the runs' own."""

SHORTEST = RunSpread(0.04, 5)
"""Of shortest times in ms; twice as much, since on another day the clock may be another."""

RATIOS = RunSpread(0.02, 5)
"""Of FP32 over INT8 time, timed interleaved."""


@dataclass(frozen=True)
class Figures:
    """A figure's logarithm in each run of a side.

    ``error``: standard error of their mean by the runs' own intervals, 0 where they have none.
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
        reach = float(scipy.special.stdtrit(self.degrees, (1 + CONFIDENCE) / 2)) * self.error
        return Interval(*(_exp(self.log + step) for step in (0, -reach, reach)))

    def p_above(self, tolerance: float) -> float:
        """One-sided p-value of the hypothesis that the factor is at most 1 + ``tolerance``."""
        return _upper_tail(self.log - math.log1p(tolerance), self.error, self.degrees)

    def p_below(self, tolerance: float) -> float:
        """One-sided p-value of the hypothesis that the factor is at least 1/(1 + ``tolerance``)."""
        return _upper_tail(-self.log - math.log1p(tolerance), self.error, self.degrees)

    def visible(self, tolerance: float, alpha: float) -> float:
        """The smallest factor, less 1, that ``p_above`` gives ``alpha`` for."""
        reach = float(scipy.special.stdtrit(self.degrees, 1 - alpha)) * self.error
        return (1 + tolerance) * _exp(reach) - 1


def run_spread(logs: Sequence[float], default: RunSpread) -> RunSpread:
    """What the runs of a baseline show, where there are enough of them; else ``default``."""
    if len(logs) < FEWEST_RUNS:
        return default
    return RunSpread(statistics.stdev(logs), len(logs) - 1)


def change(base: Figures, head: Figures, default: RunSpread) -> Change:
    """HEAD against BASE, each of one run or more.

    The spread is that of BASE's runs or ``default``. Where the runs themselves are less certain
    than that, their own errors count.
    """
    between = run_spread(base.logs, default)
    error = between.sd * math.sqrt(1 / len(base.logs) + 1 / len(head.logs))
    return Change(
        statistics.fmean(head.logs) - statistics.fmean(base.logs),
        max(error, math.hypot(base.error, head.error)),
        between.degrees,
    )


def median_ms(results: StoredResults, cell: str) -> float | None:
    """Median of the runs' medians in ms; None where no run timed the cell."""
    rows = timed_rows(results, cell)
    medians = [row.latency_ms.p50 for row in rows if row.latency_ms is not None]
    return statistics.median(medians) if medians else None


def launch_count(results: StoredResults, cell: str) -> int:
    """How many launches the times were measured in; 0 where that was not kept."""
    return sum(row.launches or 0 for row in timed_rows(results, cell))


def shortest_times(results: StoredResults, cell: str) -> Figures | None:
    """Shortest times in ms; None where no run timed the cell.

    Their error is ``DISTURBED`` of the distance from there to the medians.
    """
    rows = timed_rows(results, cell)
    times = [row.latency_ms for row in rows if row.latency_ms is not None]
    if not times:
        return None
    errors = [DISTURBED * abs(math.log(each.p50 / each.min)) for each in times]
    return Figures(tuple(math.log(each.min) for each in times), _error_of_mean(errors))


def kernel_units(results: StoredResults, cell: str) -> Figures | None:
    """Times in units of the reference kernel of the same rounds, in the fastest of them.

    The kernel does what the cell does most, products of its precision, so it takes longer where the
    machine is slower at that time. None where a run that timed the cell lacks the kernel's times.
    """
    timed = [run for run in results.runs if was_timed(run, cell)]
    found = [_run_kernel_units(run, cell) for run in timed]
    return _figures([each for each in found if each is not None]) if all(found) else None


def speed_ratios(results: StoredResults, cell: str) -> Figures | None:
    """FP32 over INT8 time, in their fastest rounds where those are kept; None if no run has it."""
    found = [_run_ratio(run, cell) for run in results.runs if was_timed(run, cell)]
    return _figures([each for each in found if each is not None])


def _run_kernel_units(run: Run, cell: str) -> Interval | None:
    row, group = run.by_cell[cell], run.group(cell)
    if row.device == "gpu":  # The kernels run on the CPU.
        return None
    if group is None:
        return row.in_kernels.interval if row.in_kernels is not None else None
    kernel = kernel_of(row.precision or "")
    if kernel is None or kernel not in group.reference:
        return None
    return fastest_ratio(group.cells[cell], group.reference[kernel])


def _run_ratio(run: Run, cell: str) -> Interval | None:
    row, group = run.by_cell[cell], run.group(cell)
    if row.ratio is None or group is None:
        return row.ratio.interval if row.ratio is not None else None
    fp32 = f"{cell.rpartition('-')[0]}-fp32"
    return fastest_ratio(group.cells[fp32], group.cells[cell]) if fp32 in group.cells else None


def _figures(intervals: Sequence[Interval]) -> Figures | None:
    """Of runs that each have a value above 0 with its interval; None where there are none."""
    if not intervals:
        return None
    errors = [abs(math.log(each.high / each.low)) / (2 * NORMAL_95) for each in intervals]
    return Figures(tuple(math.log(each.value) for each in intervals), _error_of_mean(errors))


def _error_of_mean(errors: Sequence[float]) -> float:
    return math.hypot(*errors) / len(errors)


def _exp(log: float) -> float:
    """Finite, however far a few runs of a very noisy machine are apart."""
    return math.exp(min(log, 100.0))


def _upper_tail(excess: float, error: float, degrees: int) -> float:
    if error == 0:
        return 0.0 if excess > 0 else 1.0
    return float(scipy.special.stdtr(degrees, -excess / error))
