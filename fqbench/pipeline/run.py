"""A whole run, from specs to rows.

    specs ─► checked models ─► graph of steps ─► executor ─► what came out ─► rows

What will run is planned before anything runs; rows follow from what came out alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fqbench.pipeline.cell_steps import ModelSteps
from fqbench.pipeline.rows import Outcome, outcome
from fqbench.steps import Finished
from fqbench.steps.executor import Executor


def run(
    planned: Sequence[ModelSteps],
    executor: Executor,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """The rows of all models, in their order. A cell that fails leaves the others be.

    ``on_outcome`` is given the rows of the models that are done, each time another one is.
    """
    done: list[int] = []

    def look(finished: Finished) -> None:
        found = [n for n, model in enumerate(planned) if finished.all_of(model.nodes)]
        if found != done:
            done[:] = found
            on_outcome(_outcome([planned[number] for number in found], finished))

    finished = executor.run([node for model in planned for node in model.nodes], look)
    return _outcome(planned, finished)


def _outcome(planned: Sequence[ModelSteps], finished: Finished) -> Outcome:
    return sum((outcome(model, finished) for model in planned), start=Outcome())
