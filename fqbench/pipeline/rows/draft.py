"""A row in the making, and what it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fqbench.examine.record import PartedImage
from fqbench.measure.stats import Launches
from fqbench.pipeline import decisions
from fqbench.pipeline.cell_steps import ModelSteps, Request
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.written import Points
from fqbench.results import Row
from fqbench.steps import Finished, Node, Select


@dataclass(frozen=True)
class Draft:
    """A row in the making, with what later columns are computed from."""

    row: Row
    points: Points | None = None
    further: Mapping[str, Points] = field(default_factory=dict)
    times: Launches = ()
    broken: tuple[PartedImage, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Whether nothing failed so far."""
        return self.row.status == "ok"


@dataclass(frozen=True)
class Ran:
    """The steps of one model, and what they came to."""

    planned: ModelSteps
    finished: Finished

    @property
    def graph(self) -> ModelGraph:
        """All steps of the model."""
        return self.planned.graph

    @property
    def request(self) -> Request:
        """What was asked for."""
        return self.planned.request

    def took_fp32(self, node: Node) -> bool:
        """Whether FP32 runs in the place of INT8."""
        return isinstance(node, Select) and self.finished.option(node) == decisions.FP32
