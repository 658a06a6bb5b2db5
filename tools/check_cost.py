"""How long the checks of rewritten and converted models take, as a part of making INT8.

    python -m tools.check_cost --spec examples/shufflenet_v2.yaml --data-root /path/to/data

Each step that writes a model runs it beside its source before it is used. The steps of each spec
are taken from the cache, or made; then each of those is run once more in this process, with a clock
around its check. Prints seconds of the step, and of the check in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from fqbench.artifacts import Store, default_root
from fqbench.backends import Int8Form, backends
from fqbench.cells import Cell
from fqbench.hardware import usable_cores
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.steps import Step
from fqbench.steps.executor import LocalExecutor
from fqbench.steps.key import job_inputs
from fqbench.steps.step import title
from fqbench.verify import conversion, int8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spec", type=Path, nargs="+", default=[])
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--data-root", type=Path)
    options = parser.parse_args()
    executor = LocalExecutor(Store(default_root()))
    specs, problems = find_specs(options.spec, options.models, options.data_root, executor)
    ready = prepare(specs, executor)
    for problem in (*problems, *ready.problems):
        print(problem)
    table = Table("Model", "Step", "Seconds", "of which the check")
    for model in ready.models:
        for step in checked_steps(model.graph):
            finished = executor.run([step])
            whole, check = clocked(step, lambda node, found=finished: found.artifact(node))
            table.add_row(model.spec.name, title(step), f"{whole:.1f}", f"{check:.1f}")
    Console().print(table)
    return 2 if problems or ready.problems else 0


def checked_steps(graph: Any) -> Iterator[Step]:
    """The steps that write a model and check it, of the backends that run on this CPU."""
    yield graph.canonical
    for name, known in backends().items():
        if not isinstance(known.int8, Int8Form) or known.int8.device != "cpu":
            continue
        if Cell(graph.spec.name, name, "cpu", "int8").unsupported is None:
            if known.conversion is not None:
                yield graph.fp32(name)
            yield graph.lowered(name)


def clocked(step: Step, artifact: Callable[[Any], Any]) -> tuple[float, float]:
    """Seconds that a step takes in this process, and those of its checks."""
    checks: list[float] = []

    def timed(function: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any, **named: Any) -> None:
            begin = time.perf_counter()
            function(*arguments, **named)
            checks.append(time.perf_counter() - begin)

        return call

    with tempfile.TemporaryDirectory() as folder, around(timed):
        given = {**job_inputs(step, artifact), "folder": folder}
        if "cores" in step.job.model_fields:
            given["cores"] = usable_cores()
        job = step.job.model_validate(given)
        begin = time.perf_counter()
        step.function(job, lambda *_: None)
        return time.perf_counter() - begin, sum(checks)


@contextmanager
def around(timed: Callable[[Callable[..., None]], Callable[..., None]]) -> Iterator[None]:
    """Every check, timed."""
    own = conversion.Conversion.check
    with (
        patch.object(conversion.Conversion, "check", timed(own)),
        patch.object(int8, "check_int8", timed(int8.check_int8)),
    ):
        yield


if __name__ == "__main__":
    raise SystemExit(main())
