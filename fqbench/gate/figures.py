"""What a stored side tells of a cell, run by run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from fqbench.gate.comparable import same_images
from fqbench.gate.evidence import AccuracyEvidence
from fqbench.gate.records import Row, Run
from fqbench.gate.spread import Figures
from fqbench.gate.stored import Stored
from fqbench.measure.fastest import NORMAL_95, fastest_ratio
from fqbench.measure.reference import kernel_of
from fqbench.measure.stats import Interval

DISTURBED = 0.25
"""Part of the way from a shortest time to the median; a rule of thumb as in ``fastest``."""

FEWEST_POINTS = 3
"""All images and two resamples, so that there is a spread."""


def row(side: Stored, cell: str) -> Row | None:
    """The cell's row: of the last run in which it ran, else of the last that has it."""
    found = [run.by_cell[cell] for run in side.runs if cell in run.by_cell]
    return next((each for each in reversed(found) if ran(each)), found[-1] if found else None)


def ran(row: Row) -> bool:
    """Whether the cell was measured."""
    return row.status == "ok" and (row.latency_ms is not None or row.accuracy is not None)


def milliseconds(side: Stored, cell: str) -> float | None:
    """Median of the runs' medians; None where no run timed the cell."""
    medians = _medians(side, cell)
    return statistics.median(medians) if medians else None


def raw(side: Stored, cell: str) -> Figures | None:
    """Shortest times as they are; their error is ``DISTURBED`` of what medians are above them."""
    rows = (run.by_cell[cell] for run in side.runs if _timed(run, cell))
    times = [each.latency_ms for each in rows if each.latency_ms is not None]
    if not times:
        return None
    errors = [DISTURBED * abs(math.log(each.p50 / each.min)) for each in times]
    return Figures(tuple(math.log(each.min) for each in times), _error_of_mean(errors))


def in_kernels(side: Stored, cell: str) -> Figures | None:
    """Times in units of the reference kernel that ran in the same rounds, in the fastest of them.

    It does what the cell does most, products of its precision, so it takes longer where the machine
    is slower at that time. None where a run that timed the cell lacks the kernel's times.
    """
    timed = [run for run in side.runs if _timed(run, cell)]
    found = [_in_kernels(run, cell) for run in timed]
    return _figures([each for each in found if each is not None]) if all(found) else None


def ratios(side: Stored, cell: str) -> Figures | None:
    """FP32 over INT8 time, in their fastest rounds where they are kept; None where no run tells."""
    found = [_ratio(run, cell) for run in side.runs if _timed(run, cell)]
    return _figures([each for each in found if each is not None])


def accuracy(base: Stored, head: Stored, cell: str) -> AccuracyEvidence | None:
    """Accuracies on the same images and resamples of them; None where a side lacks them."""
    ours, theirs = row(base, cell), row(head, cell)
    points = [_accuracies(side, cell) for side in (base, head)]
    if ours is None or theirs is None or not same_images(ours, theirs):
        return None
    if len(points[0]) < FEWEST_POINTS or len(points[0]) != len(points[1]):
        return None
    before, after = (np.asarray(each, np.float64) for each in points)
    return AccuracyEvidence(cell, before, after)


def left_margin(base: Stored, head: Stored, cell: str) -> bool:
    """Whether HEAD is outside of the margin, and BASE was not, or not known to be."""
    ours, theirs = row(base, cell), row(head, cell)
    if ours is None or theirs is None:
        return False
    return ours.against_margin in ("inside", "not known") and theirs.against_margin == "outside"


def launches(side: Stored, cell: str) -> int:
    """How many launches the times stand on; 0 where that was not kept."""
    rows = (run.by_cell[cell] for run in side.runs if _timed(run, cell))
    return sum(each.launches or 0 for each in rows)


def same_files(base: Stored, head: Stored, cell: str) -> bool:
    """Whether the runtime loaded the same files on both sides."""
    found = [row(side, cell) for side in (base, head)]
    digests = [each.hashes.get("files") if each is not None else None for each in found]
    return digests[0] is not None and digests[0] == digests[1]


def _medians(side: Stored, cell: str) -> list[float]:
    rows = (run.by_cell[cell] for run in side.runs if _timed(run, cell))
    return [each.latency_ms.p50 for each in rows if each.latency_ms is not None]


def _timed(run: Run, cell: str) -> bool:
    found = run.by_cell.get(cell)
    return found is not None and found.status == "ok" and found.latency_ms is not None


def _in_kernels(run: Run, cell: str) -> Interval | None:
    found, group = run.by_cell[cell], run.group(cell)
    if found.device == "gpu":  # The kernels run on the CPU.
        return None
    if group is None:
        return found.in_kernels.interval if found.in_kernels is not None else None
    kernel = kernel_of(found.precision or "")
    if kernel not in group.reference:
        return None
    return fastest_ratio(group.cells[cell], group.reference[kernel])


def _ratio(run: Run, cell: str) -> Interval | None:
    found, group = run.by_cell[cell], run.group(cell)
    if found.ratio is None or group is None:
        return found.ratio.interval if found.ratio is not None else None
    fp32 = f"{cell.rpartition('-')[0]}-fp32"
    return fastest_ratio(group.cells[fp32], group.cells[cell]) if fp32 in group.cells else None


def _figures(found: Sequence[Interval]) -> Figures | None:
    """Of runs that each tell a value and its interval, both above 0."""
    if not found:
        return None
    errors = [abs(math.log(each.high / each.low)) / (2 * NORMAL_95) for each in found]
    return Figures(tuple(math.log(each.value) for each in found), _error_of_mean(errors))


def _error_of_mean(errors: Sequence[float]) -> float:
    return math.hypot(*errors) / len(errors)


def _accuracies(side: Stored, cell: str) -> tuple[float, ...]:
    """Of the first run that kept them: the same code answers the same in each."""
    kept = (run.samples.accuracies.get(cell, ()) for run in side.runs)
    return next(filter(None, kept), ())
