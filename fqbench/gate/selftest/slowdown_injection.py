"""A cell made slower on purpose, to see whether the gate finds it; runs in the timed process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fqbench.measure import stopwatch
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.latency import Call


def time_cell(arguments: dict[str, Any], questions: Iterator[Any]) -> Iterator[Any]:
    """As ``stopwatch.time_cell``, but each inference takes longer by ``slowdown``, a part of 1."""
    cell = Loadable.model_validate(arguments["cell"])
    call = cell.call(Path(arguments["image"]), arguments["threads"])
    slower = slowed(call, arguments["slowdown"])
    yield from stopwatch.answers({arguments["side"]: slower}, arguments["cores"], questions)


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
