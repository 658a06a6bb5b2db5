"""The child's side of a timing: a process that runs and times inferences when it is asked to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fqbench.measure import reference
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.latency import Call, Stopwatch, TimingBudget
from fqbench.measure.pinning import pin


def time_cell(arguments: dict[str, Any], questions: Iterator[Any]) -> Iterator[Any]:
    """Time inferences of ``cell``, called ``side``, on ``image``, bound to ``cores``."""
    cell = Loadable.model_validate(arguments["cell"])
    call = cell.call(Path(arguments["image"]), arguments["threads"])
    yield from answers({arguments["side"]: call}, arguments["cores"], questions)


def time_reference(arguments: dict[str, Any], questions: Iterator[Any]) -> Iterator[Any]:
    """Time the reference kernels, bound to ``cores``."""
    yield from answers(reference.kernels(arguments["threads"]), arguments["cores"], questions)


def answers(calls: Mapping[str, Call], cores: list[int], questions: Iterator[Any]) -> Iterator[Any]:
    """Whether the process could be bound to ``cores``, then what is asked of each call.

    A question names its ``side`` and either the budget to ``warm_up`` with, answered by how many
    inferences fill a block, or a number of ``runs``, answered by the seconds of each.
    """
    # Here and not before: what loads a model may use every core.
    yield pin(cores)
    watches = {name: Stopwatch(call) for name, call in calls.items()}
    for question in questions:
        watch = watches[question["side"]]
        if "warm_up" in question:
            yield watch.warm_up(TimingBudget(**question["warm_up"]))
        else:
            yield watch.block(question["runs"])
