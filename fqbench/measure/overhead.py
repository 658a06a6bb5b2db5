"""What fqbench's own call adds to the runtime's, in one child process, taken in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fqbench.backends import Runner
from fqbench.isolate import Report
from fqbench.measure.latency import Effort, time_interleaved
from fqbench.measure.loaded import Loadable
from fqbench.vision.image import read_image

ROUNDS = 40


def time_overhead(arguments: dict[str, Any], report: Report) -> dict[str, list[list[float]]]:
    """Times in seconds, in blocks, of ``fqbench`` and of a ``bare`` loop on the same session.

    The bare loop is written out here: nothing of what times a cell is part of it.
    """
    cell = Loadable.model_validate(arguments["cell"])
    feed, runner = cell.feed(read_image(Path(arguments["image"]))), cell.load(threads=1)
    bare = _bare_call(cell.backend, runner, feed)
    found: dict[str, list[list[float]]] = {"fqbench": [], "bare": []}
    effort = Effort(warm_up=0.2, rounds=1, fewest=1, block=0.05)
    for done in range(ROUNDS):
        timing = time_interleaved({"fqbench": lambda: runner.run(feed)}, effort)
        found["fqbench"].append(list(timing.blocks["fqbench"][0]))
        times = []
        for _ in found["fqbench"][-1]:
            begin = time.perf_counter()
            bare()
            times.append(time.perf_counter() - begin)
        found["bare"].append(times)
        report(done + 1, ROUNDS)
    return found


def _bare_call(backend: str, runner: Runner, feed: list[Any]) -> Callable[[], object]:
    """The runtime's own calls, as its documentation shows them."""
    native: Any = runner
    if backend == "onnxruntime":
        named = dict(zip((v.name for v in native.session.get_inputs()), feed, strict=True))
        return lambda: native.session.run(None, named)
    predictor = native.predictor
    sources = [predictor.get_input_handle(name) for name in predictor.get_input_names()]
    targets = [predictor.get_output_handle(name) for name in predictor.get_output_names()]

    def call() -> object:
        for handle, value in zip(sources, feed, strict=True):
            handle.copy_from_cpu(value)
        predictor.run()
        return [handle.copy_to_cpu() for handle in targets]

    return call
