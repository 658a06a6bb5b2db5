"""The child's side of a timing: a process that runs and times inferences when it is asked to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import TypeAdapter

from fqbench.jsonvalue import Json
from fqbench.measure import reference
from fqbench.measure.latency import Call, Stopwatch
from fqbench.measure.messages import CellLaunch, KernelLaunch, Question, WarmUp
from fqbench.measure.pinning import pin


def time_cell(arguments: Mapping[str, Json], questions: Iterator[Json]) -> Iterator[Json]:
    """Time inferences of a cell, as ``arguments``, a ``CellLaunch``, says."""
    launch = CellLaunch.model_validate(arguments)
    yield from answers({launch.side: launch.call()}, launch.cores, questions)


def time_reference(arguments: Mapping[str, Json], questions: Iterator[Json]) -> Iterator[Json]:
    """Time the reference kernels, as ``arguments``, a ``KernelLaunch``, says."""
    launch = KernelLaunch.model_validate(arguments)
    yield from answers(reference.kernels(launch.threads), launch.cores, questions)


def answers(
    calls: Mapping[str, Call], cores: Sequence[int], questions: Iterator[Json]
) -> Iterator[Json]:
    """Whether the process could be bound to ``cores``, then what is asked of each call.

    ``questions``: each a ``Question``, of a side that ``calls`` has.
    """
    questioned: TypeAdapter[Question] = TypeAdapter(Question)
    # Here and not before: what loads a model may use every core.
    yield pin(cores)
    watches = {name: Stopwatch(call) for name, call in calls.items()}
    for question in map(questioned.validate_python, questions):
        watch = watches[question.side]
        if isinstance(question, WarmUp):
            yield watch.warm_up(question.warm_up)
        else:
            yield watch.block(question.runs)
