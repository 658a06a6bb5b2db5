"""All that this machine has to run a model with: what ``fqbench best`` chooses among."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from fqbench.backends import int8_form, label_of
from fqbench.cells import Cell
from fqbench.counting import counted
from fqbench.environments import HERE
from fqbench.methods import methods, offered
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.timing import Subject
from fqbench.precisions import CHOSEN, precision
from fqbench.precisions import label_of as label_of_precision
from fqbench.precisions.own import INT8, INT8_FILE
from fqbench.steps import ArtifactNode, Node


@dataclass(frozen=True, eq=False)
class Candidate:
    """A cell of the model of ``graph``, whose method makes it where it is quantized here.

    ``kept``: of a point between INT8 and FP32, how many layers are in float for their accuracy.
    """

    graph: ModelGraph
    cell: Cell
    kept: int | None = None

    @property
    def method(self) -> str | None:
        """The method that makes its model; None where none does."""
        return self.graph.method if precision(self.cell.precision).method == CHOSEN else None

    @property
    def name(self) -> str:
        """What tells it from the others: ``onnxruntime-cpu-fp32``."""
        cell, kept = self.cell, self.kept
        traded = None if kept is None else f"{kept}_in_float"
        parts = (cell.backend, cell.device, cell.precision, self.method, traded)
        return "-".join(part for part in parts if part is not None)

    @property
    def label(self) -> str:
        """What reports call it."""
        made = f" by {self.method}" if self.method is not None else ""
        device = "" if self.cell.device == "cpu" else f" on the {self.cell.device.upper()}"
        kind = label_of_precision(self.cell.precision)
        if self.cell.precision == INT8_FILE.name:
            kind = "INT8 file as given"
        return f"{label_of(self.cell.backend)} {kind}{made}{device}{self._traded}"

    @property
    def _traded(self) -> str:
        """What a point is called by: its layers in float."""
        if self.kept is None:
            return ""
        kept = counted(self.kept, "layer") if self.kept else "no layers"
        return f", {kept} kept in float"

    @property
    def trades(self) -> bool:
        """Whether its layers can be traded: they were chosen here, and its runtime is timed."""
        if self.method is None or self.comes_whole or self.graph.point is not None:
            return False
        return int8_form(self.cell.backend).timed

    @property
    def comes_whole(self) -> bool:
        """Whether its method makes whole models."""
        return self.method is not None and self.graph.quantizer.yields == "model"

    @property
    def made_in(self) -> str | None:
        """The environment of the other toolkit that makes its file; None where none does."""
        environment = self.graph.quantizer.environment
        return environment if self.comes_whole and environment != HERE else None

    @property
    def is_float(self) -> bool:
        """Whether nothing of it is quantized."""
        return precision(self.cell.precision).weights.kind == "float"

    @property
    def is_fp32(self) -> bool:
        """Whether it is what all others are compared with: it loses nothing, by definition."""
        return precision(self.cell.precision).baseline

    @cached_property
    def subject(self) -> Subject:
        """What is timed. Raises FqbenchError where its model cannot be planned."""
        return Subject.of(self.graph, self.cell)

    @cached_property
    def loads(self) -> ArtifactNode:
        """What its backend loads. Raises as ``subject``."""
        return self.subject.loads

    @property
    def making(self) -> tuple[Node, ...]:
        """What has to be made before it can be timed. Raises as ``subject``."""
        return (self.loads, self.graph.network(self.cell))


def default_methods() -> tuple[str, ...]:
    """The methods that are tried where none is named: those that are quick."""
    return tuple(name for name in offered() if methods()[name].quick)


def candidates(graphs: Sequence[ModelGraph], cells: Sequence[Cell]) -> Iterator[Candidate]:
    """Those of one model, whose ``graphs`` are of one method each.

    Cells of what no method makes are of the first graph. Those that cannot run here are left out.
    """
    for cell in cells:
        chosen = precision(cell.precision).method == CHOSEN
        for graph in graphs if chosen else graphs[:1]:
            for each in _with_given(graph, cell) if graph is graphs[0] else (cell,):
                if graph.unsupported(each) is None:
                    yield Candidate(graph, each)


def not_tried(graphs: Sequence[ModelGraph], cells: Sequence[Cell]) -> dict[str, str]:
    """The backends and methods without a candidate among ``cells``, each with a reason."""
    tried = list(candidates(graphs, cells))
    there = {each.cell.backend for each in tried}
    found: dict[str, str] = {}
    for cell in cells:
        reason = graphs[0].unsupported(cell)
        if cell.backend not in there and reason is not None:
            found.setdefault(cell.backend, reason)
    methods_tried = {each.method for each in tried}
    quantized = [cell for cell in cells if precision(cell.precision).method == CHOSEN]
    for graph in graphs:
        reasons = (graph.unsupported(cell) for cell in quantized if cell.unsupported is None)
        reason = next((each for each in reasons if each is not None), None)
        if graph.method not in methods_tried and reason is not None:
            found[graph.method] = reason
    return found


def _with_given(graph: ModelGraph, cell: Cell) -> tuple[Cell, ...]:
    """``cell``, and beside that of INT8 the spec's own INT8 file."""
    if graph.spec.int8 is None or cell.precision != INT8.name:
        return (cell,)
    return (cell, replace(cell, precision=INT8_FILE.name))
