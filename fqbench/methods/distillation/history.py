"""``History``: how a training went, and why it ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from fqbench.jsonvalue import Json

LAST = "all iterations are done"
REACHED = "the target is reached"
BROKEN = "the loss is no number any more"


@dataclass(frozen=True)
class Evaluation:
    """The student after ``iteration`` iterations.

    ``loss``: mean of the iterations since the evaluation before; None at the start. ``error``:
    of the graph as it is lowered, on images held out, as it is estimated (of a detector by its
    detections, else the relative squared error of raw outputs); ``points_lost``: about how many
    points of accuracy that costs.
    """

    iteration: int
    loss: float | None
    error: float
    points_lost: float


@dataclass(frozen=True)
class History:
    """All evaluations, the start first; how long they took; why the training ended."""

    evaluations: tuple[Evaluation, ...]
    seconds: float = 0.0
    stopped: str = ""

    @property
    def best(self) -> Evaluation:
        """The evaluation of least error, the first of equals: what is kept."""
        return min(self.evaluations, key=lambda found: found.error)

    @property
    def iteration(self) -> int:
        """How many iterations are done."""
        return self.evaluations[-1].iteration

    def with_evaluation(self, found: Evaluation, seconds: float) -> History:
        """This history and one evaluation more, after ``seconds`` more."""
        return History((*self.evaluations, found), self.seconds + seconds)

    def ended(self, why: str) -> History:
        """This history with its end."""
        return replace(self, stopped=why)

    @staticmethod
    def of(data: Json) -> History:
        """From what ``asdict`` made of one. Raises pydantic.ValidationError for anything else."""
        return TypeAdapter(History).validate_python(data)
