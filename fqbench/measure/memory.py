"""Resident memory of a process of its own that loads a model and answers, at its peak.

Pages of libraries count once they were touched. What a GPU holds is not in it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from fqbench.backends import backend, runtime
from fqbench.backends.record import resolve
from fqbench.jsonvalue import Json
from fqbench.measure import stopwatch
from fqbench.measure.messages import CellLaunch
from fqbench.measure.stats import Interval, Launches
from fqbench.vision.image import read_image

ANSWERS = 3
"""Inferences: what memory the first ones take is reused from then on."""

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_CLEAR_PEAK = "5"
"""Linux forgets the peak so far; see proc_pid_clear_refs(5)."""


@dataclass(frozen=True)
class MemoryUse:
    """In MB (10^6 bytes) of resident memory.

    ``peak_mb``: of the whole process while it loads the model and answers. Parts of it, which add
    up to it but for being medians: ``before_mb``, Python with NumPy and what fqbench itself
    imports; ``runtime_mb``, what importing the runtime adds; ``model_mb``, what loading the model
    and answering add at their peak. Intervals are from process to process, of which
    there were ``processes``.
    """

    peak_mb: Interval
    before_mb: float
    runtime_mb: float
    model_mb: Interval
    processes: int


@dataclass(frozen=True)
class Peak:
    """Resident memory of one process in bytes: ``before`` the runtime was imported, and after."""

    before: int
    imported: int
    peak: int


def watch_memory(arguments: Mapping[str, Json], questions: Iterator[Json]) -> Iterator[Json]:
    """The ``Peak`` of this process that loads and runs a cell, as the values of a block.

    ``arguments``: a ``CellLaunch``. It is bound to no core.
    """
    launch = CellLaunch.model_validate(arguments)
    side = stopwatch.Once(lambda: astuple(_peak_of(launch)))
    yield from stopwatch.answers({launch.side: side}, (), questions)


def peaks_of(times: Launches) -> list[Peak]:
    """From blocks of ``watch_memory``; the first launch does not count, as for other measures."""
    return [Peak(*map(int, rounds[0])) for rounds in times[1:]]


def _peak_of(launch: CellLaunch) -> Peak:
    inputs = launch.cell.feed(read_image(launch.image))
    runtime(launch.cell.backend)  # Imports fqbench's own part.
    before = resident()
    resolve(backend(launch.cell.backend).import_runtime)()
    imported = resident()
    forget_peak()
    runner = launch.cell.load(launch.threads)
    for _ in range(ANSWERS):
        runner.run(inputs)
    return Peak(before, imported, peak())


def resident() -> int:
    """Bytes of this process that are in memory now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def forget_peak() -> None:
    """Let the peak start from now on, where the system can: elsewhere an earlier one may count."""
    with suppress(OSError):
        _CLEAR.write_text(_CLEAR_PEAK)


def peak() -> int:
    """Bytes of this process that were in memory at most.

    Not by ``getrusage`` on Linux: there it is never less than what the parent had at the fork.
    """
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s*(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
        if found is not None:
            return int(found[1]) * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
