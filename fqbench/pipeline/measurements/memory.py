"""Resident memory at its peak."""

from __future__ import annotations

from statistics import median

from fqbench.measure import stats
from fqbench.measure.launches import Process
from fqbench.measure.measures import costs, single
from fqbench.measure.memory import MemoryUse, peaks_of
from fqbench.pipeline.measurements.sides import (
    Asked,
    Measured,
    Sides,
    failed,
    one_process,
    record_sides,
)
from fqbench.pipeline.timing import Report, Subject
from fqbench.steps import Finished


def take(asked: Asked, finished: Finished, report: Report) -> Measured:
    """The ``MemoryUse`` of each cell."""
    sides = Sides.of(asked, finished)
    processes = [
        process(key, subject, asked.threads, finished) for key, subject in sides.subjects.items()
    ]
    recorded = record_sides("memory", processes, asked.effort.once, report)
    values = {key: costs("memory", times) for key, times in recorded.times.items()}

    def figure(key: str, first: str | None) -> MemoryUse:
        found = peaks_of(recorded.times[key])
        return MemoryUse(
            stats.median(values[key]),
            median(each.before for each in found) / 1e6,
            median(each.imported - each.before for each in found) / 1e6,
            stats.median(single([max(each.peak - each.imported, 1) / 1e6 for each in found])),
            len(found),
        )

    return sides.figures(values, failed(recorded.failures), figure)


def process(key: str, subject: Subject, threads: int, finished: Finished) -> Process:
    """What measures a cell, which it calls ``key``."""
    return one_process("memory:watch_memory", key, subject, threads, finished)
