"""What fqbench's own call adds to the runtime's, interleaved in one child process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fqbench.backends import backend
from fqbench.backends.record import resolve
from fqbench.errors import StepError
from fqbench.isolate import Report
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.latency import TimingBudget, time_interleaved
from fqbench.vision.image import read_image

ROUNDS = 40


def time_overhead(arguments: dict[str, Any], report: Report) -> dict[str, list[list[float]]]:
    """Times in seconds, in blocks, of ``fqbench`` and of a ``bare`` loop on the same session.

    Nothing of what times a cell is part of the bare loop. Raises StepError for a backend that has
    none.
    """
    cell = Loadable.model_validate(arguments["cell"])
    feed, runner = cell.feed(read_image(Path(arguments["image"]))), cell.load(threads=1)
    used = backend(cell.backend)
    if used.bare_call is None:
        raise StepError(f"{used.label} has no call shorter than what is measured")
    bare: Callable[[], object] = resolve(used.bare_call)(runner, feed)
    found: dict[str, list[list[float]]] = {"fqbench": [], "bare": []}
    budget = TimingBudget(warm_up=0.2, rounds=1, fewest=1, block=0.05)
    for done in range(ROUNDS):
        timing = time_interleaved({"fqbench": lambda: runner.run(feed)}, budget)
        found["fqbench"].append(list(timing.blocks["fqbench"][0]))
        times = []
        for _ in found["fqbench"][-1]:
            begin = time.perf_counter()
            bare()
            times.append(time.perf_counter() - begin)
        found["bare"].append(times)
        report(done + 1, ROUNDS)
    return found
