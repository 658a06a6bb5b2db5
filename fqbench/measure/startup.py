"""From nothing to the first answer: the runtime is imported, the model loaded, one image answered.

In fresh processes, in turns. Not in it: starting Python, NumPy, and reading the image. The files
were read before, so that they come from the system's memory and not from the disk.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass

from fqbench.backends import backend, runtime
from fqbench.backends.record import resolve
from fqbench.jsonvalue import Json
from fqbench.measure import stopwatch
from fqbench.measure.messages import CellLaunch
from fqbench.measure.stats import Interval, Launches
from fqbench.vision.image import read_image


@dataclass(frozen=True)
class Startup:
    """Milliseconds to the first answer, with the interval from process to process.

    Medians of its parts: ``import_ms``, of the runtime; ``load_ms``, of the model, with all that
    the runtime makes of it; ``first_ms``, the first inference. ``ratio``: how many times as fast as
    FP32 of the same backend; ``processes``: how many were started.
    """

    ms: Interval
    import_ms: float
    load_ms: float
    first_ms: float
    ratio: Interval | None
    processes: int


@dataclass(frozen=True)
class Start:
    """Seconds of one start, by its parts."""

    imports: float
    load: float
    first: float

    @property
    def total(self) -> float:
        """Their sum."""
        return self.imports + self.load + self.first


def time_start(arguments: Mapping[str, Json], questions: Iterator[Json]) -> Iterator[Json]:
    """The ``Start`` of a cell, as the values of a block.

    ``arguments``: a ``CellLaunch``. It is bound to no core: what loads a model may use them all.
    """
    launch = CellLaunch.model_validate(arguments)
    side = stopwatch.Once(lambda: astuple(_start_of(launch)))
    yield from stopwatch.answers({launch.side: side}, (), questions)


def starts_of(times: Launches) -> list[Start]:
    """From blocks of ``time_start``; the first launch does not count.

    It brought the files into the system's memory.
    """
    return [Start(*rounds[0]) for rounds in times[1:]]


def _start_of(launch: CellLaunch) -> Start:
    inputs = launch.cell.feed(read_image(launch.image))
    used = backend(launch.cell.backend)
    imports = resolve(used.import_runtime)
    runtime(used.name)  # Imports fqbench's own part.
    begin = time.perf_counter()
    imports()
    imported = time.perf_counter()
    runner = launch.cell.load(launch.threads)
    loaded = time.perf_counter()
    runner.run(inputs)
    end = time.perf_counter()
    return Start(imported - begin, loaded - imported, end - loaded)
