"""A cell made slower on purpose, to see whether the gate finds it; runs in the timed process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from fqbench.jsonvalue import Json
from fqbench.measure import stopwatch
from fqbench.measure.latency import Call, Stopwatch
from fqbench.measure.messages import CellLaunch


class SlowedCellLaunch(CellLaunch):
    """What ``time_cell`` is called with; ``slowdown``: a part of 1."""

    slowdown: float


def time_cell(arguments: Mapping[str, Json], questions: Iterator[Json]) -> Iterator[Json]:
    """As ``stopwatch.time_cell``, but each inference takes longer, see ``SlowedCellLaunch``."""
    launch = SlowedCellLaunch.model_validate(arguments)
    slower = slowed(launch.call(), launch.slowdown)
    yield from stopwatch.answers({launch.side: Stopwatch(slower)}, launch.cores, questions)


def slowed(call: Call, slowdown: float) -> Call:
    """``call``, followed by keeping the core busy for ``slowdown`` of the time that it took."""

    def run() -> None:
        begin = time.perf_counter()
        call()
        now = time.perf_counter()
        end = now + slowdown * (now - begin)
        while now < end:
            now = time.perf_counter()

    return run
