"""What is measured of cells beside latency, where a run asks for it: a module for each measure.

Cells of one backend and device take turns in all of it, as they do for latency, and those that
run the same file alike are measured once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from fqbench.backends import backend
from fqbench.measure.launches import Process
from fqbench.measure.measures import Measure
from fqbench.pipeline.measurements import end_to_end, memory, startup, throughput
from fqbench.pipeline.measurements.sides import Asked, Effort, Measured
from fqbench.pipeline.timing import Report, Subject
from fqbench.steps import Finished, Measurement

__all__ = ["Effort", "Measured", "measurement", "process"]

_TAKE: Mapping[Measure, Callable[[Asked, Finished, Report], Measured]] = {
    "throughput": throughput.take,
    "memory": memory.take,
    "startup": startup.take,
    "end_to_end": end_to_end.take,
}


def measurement(
    measure: Measure, subjects: Sequence[Subject], threads: int, effort: Effort
) -> Measurement:
    """One of the measures, of cells of one backend: a ``Measured``.

    Cells whose files could not be made are left out.
    """
    first = subjects[0].cell
    return Measurement(
        measure,
        first.model,
        tuple(subject.loads for subject in subjects),
        partial(_TAKE[measure], Asked(tuple(subjects), threads, effort)),
        first.backend,
    )


def process(
    measure: Measure, subject: Subject, threads: int, finished: Finished, side: str
) -> Process | None:
    """What takes one of the measures of a cell, which it calls ``side``, in whatever runs it.

    None where its backend does not say how it runs at full load.
    """
    if measure == "throughput":
        known = backend(subject.cell.backend).throughput is not None
        return throughput.process(side, subject, finished) if known else None
    return _PROCESS[measure](side, subject, threads, finished)


_PROCESS: Mapping[Measure, Callable[[str, Subject, int, Finished], Process]] = {
    "memory": memory.process,
    "startup": startup.process,
    "end_to_end": end_to_end.process,
}
