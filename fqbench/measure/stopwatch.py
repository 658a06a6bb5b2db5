"""The child's side of a timing: a process that runs and times inferences when it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import TypeAdapter

from fqbench.jsonvalue import Json
from fqbench.measure import reference
from fqbench.measure.latency import Block, Side, Stopwatch, TimingBudget
from fqbench.measure.messages import CellLaunch, KernelLaunch, Question, WarmUp
from fqbench.measure.pinning import pin


@dataclass(frozen=True)
class Once:
    """A ``Side`` that can be measured once in a process: each block holds what was found then."""

    measure: Callable[[], Block]

    @cached_property
    def _found(self) -> Block:
        return self.measure()

    def warm_up(self, budget: TimingBudget) -> int:
        """Nothing is run: the first time is what counts."""
        return 1

    def block(self, runs: int) -> Block:
        """What was found."""
        return self._found


def time_cell(arguments: Mapping[str, Json], questions: Iterator[Json]) -> Iterator[Json]:
    """Time inferences of a cell, as ``arguments``, a ``CellLaunch``, says."""
    launch = CellLaunch.model_validate(arguments)
    yield from answers({launch.side: Stopwatch(launch.call())}, launch.cores, questions)


def time_reference(arguments: Mapping[str, Json], questions: Iterator[Json]) -> Iterator[Json]:
    """Time the reference kernels, as ``arguments``, a ``KernelLaunch``, says."""
    launch = KernelLaunch.model_validate(arguments)
    calls = reference.kernels(launch.threads)
    sides = {name: Stopwatch(call) for name, call in calls.items()}
    yield from answers(sides, launch.cores, questions)


def answers(
    sides: Mapping[str, Side], cores: Sequence[int], questions: Iterator[Json]
) -> Iterator[Json]:
    """Whether the process could be bound to ``cores``, then what is asked of each side.

    ``questions``: each a ``Question``, of one of ``sides``.
    """
    questioned: TypeAdapter[Question] = TypeAdapter(Question)
    # Here and not before: what loads a model may use every core.
    yield pin(cores)
    for question in map(questioned.validate_python, questions):
        side = sides[question.side]
        if isinstance(question, WarmUp):
            yield side.warm_up(question.warm_up)
        else:
            yield side.block(question.runs)
