"""Time to the first answer."""

from __future__ import annotations

from statistics import median

from fqbench.measure import stats
from fqbench.measure.launches import Process
from fqbench.measure.measures import costs
from fqbench.measure.startup import Startup, starts_of
from fqbench.pipeline.measurements.sides import (
    Asked,
    Measured,
    Sides,
    failed,
    in_ms,
    one_process,
    ratio,
    record_sides,
)
from fqbench.pipeline.timing import Report, Subject
from fqbench.steps import Finished


def take(asked: Asked, finished: Finished, report: Report) -> Measured:
    """The ``Startup`` of each cell."""
    sides = Sides.of(asked, finished)
    processes = [
        process(key, subject, asked.threads, finished) for key, subject in sides.subjects.items()
    ]
    recorded = record_sides("startup", processes, asked.effort.once, report)
    values = {key: costs("startup", times) for key, times in recorded.times.items()}

    def figure(key: str, first: str | None) -> Startup:
        found = starts_of(recorded.times[key])
        return Startup(
            in_ms(stats.median(values[key])),
            1e3 * median(each.imports for each in found),
            1e3 * median(each.load for each in found),
            1e3 * median(each.first for each in found),
            ratio(values, first, key),
            len(found),
        )

    return sides.figures(values, failed(recorded.failures), figure)


def process(key: str, subject: Subject, threads: int, finished: Finished) -> Process:
    """What measures a cell, which it calls ``key``."""
    return one_process("startup:time_start", key, subject, threads, finished)
