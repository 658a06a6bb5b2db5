"""What fqbench's own call adds to the runtime's, interleaved in one child process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from fqbench.backends import backend
from fqbench.backends.record import resolve
from fqbench.errors import StepError
from fqbench.isolate import Report
from fqbench.jsonvalue import Json
from fqbench.measure.latency import Block, TimingBudget, time_interleaved
from fqbench.measure.messages import CellMeasurement
from fqbench.vision.image import read_image

ROUNDS = 40


@dataclass(frozen=True)
class Overhead:
    """Times in seconds, in blocks, of ``fqbench`` and of a ``bare`` loop on the same session."""

    fqbench: tuple[Block, ...]
    bare: tuple[Block, ...]


def time_overhead(arguments: Mapping[str, Json], report: Report) -> dict[str, Json]:
    """The ``Overhead`` of what ``arguments``, a ``CellMeasurement``, says, as JSON.

    Nothing of what times a cell is part of the bare loop. Raises StepError for a backend that has
    none.
    """
    asked = CellMeasurement.model_validate(arguments)
    cell = asked.cell
    feed, runner = cell.feed(read_image(asked.image)), cell.load(asked.threads)
    used = backend(cell.backend)
    if used.bare_call is None:
        raise StepError(f"{used.label} has no call shorter than what is measured")
    bare: Callable[[], object] = resolve(used.bare_call)(runner, feed)
    ours, others = [], []
    budget = TimingBudget(warm_up=0.2, rounds=1, fewest=1, block=0.05)
    for done in range(ROUNDS):
        timing = time_interleaved({"fqbench": lambda: runner.run(feed)}, budget)
        ours.append(timing.blocks["fqbench"][0])
        times = []
        for _ in ours[-1]:
            begin = time.perf_counter()
            bare()
            times.append(time.perf_counter() - begin)
        others.append(tuple(times))
        report(done + 1, ROUNDS)
    return asdict(Overhead(tuple(ours), tuple(others)))
