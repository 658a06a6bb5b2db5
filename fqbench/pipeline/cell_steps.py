"""The nodes that the rows of one model are made of, planned before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fqbench.backends import backend, unversioned
from fqbench.cells import Cell
from fqbench.errors import FqbenchError
from fqbench.margins import Margins
from fqbench.measure.launches import MeasurementBudget
from fqbench.measure.measures import Measure
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.int8_gain import gain
from fqbench.pipeline.measurements import Effort, measurement
from fqbench.pipeline.timing import Subject, on_gpu, timing
from fqbench.precisions import CHOSEN, baseline, precision
from fqbench.precisions.own import INT8, INT8_FILE
from fqbench.steps import ArtifactNode, Measurement, Node, Step


@dataclass(frozen=True)
class Request:
    """What to measure and how hard.

    ``threads``: of the runtime, for latency. ``batch``: images of one inference that is timed on a
    GPU; on a CPU it is one. ``budget``: None where nothing is to be timed. ``measures``: what is
    measured beside latency, with how much ``effort``.
    """

    cells: tuple[Cell, ...]
    margins: Margins
    threads: int = 1
    batch: int = 1
    budget: MeasurementBudget | None = field(default_factory=MeasurementBudget)
    measures: tuple[Measure, ...] = ()
    effort: Effort = field(default_factory=Effort)

    def batch_of(self, cell: Cell) -> int:
        """Images of one inference of ``cell`` that is timed."""
        return self.batch if cell.device == "gpu" else 1


@dataclass(frozen=True)
class CellSteps:
    """What the row of a cell is made of. None: does not apply.

    ``loads``: what its backend loads; ``subject``: what is timed. ``score`` of ``predictions``;
    ``agreement`` with FP32, where the data set tells no truth. Of an INT8 cell: the steps of
    ``quantizing``, its score where no layer stays in float (``without_float``). Of a model that is
    not lowered here: the layers that saturate, and its score if none did. ``probe``: what its
    backend's kernels do. ``examined``: what INT8 changes, image by image. ``gpu``: where on the
    GPU the time goes; ``gain``: where INT8 saves time and where not, in case it is no faster than
    the fastest float.
    """

    cell: Cell
    loads: ArtifactNode
    subject: Subject | None = None
    predictions: ArtifactNode | None = None
    score: ArtifactNode | None = None
    agreement: ArtifactNode | None = None
    quantizing: tuple[Step, ...] = ()
    probe: Step | None = None
    without_float: ArtifactNode | None = None
    examined: ArtifactNode | None = None
    saturation: Step | None = None
    without_saturation: ArtifactNode | None = None
    gpu: Measurement | None = None
    gain: Measurement | None = None

    @property
    def nodes(self) -> Iterator[Node]:
        """All of them."""
        found = (
            *(self.loads, self.predictions, self.score, self.agreement, self.probe, self.examined),
            *(self.without_float, self.saturation, self.without_saturation, self.gpu, self.gain),
            self.subject.loads if self.subject is not None else None,
        )
        yield from (node for node in found if node is not None)
        yield from self.quantizing


@dataclass(frozen=True)
class Group:
    """Cells of one backend, in one version or in several, and of one device.

    A cell that cannot be planned says why by an error, one that is not supported by a sentence.
    ``timing``: of them and of all other cells of the model on that device, in turns.
    """

    cells: Mapping[Cell, CellSteps | FqbenchError | str]
    timing: Measurement | None = None
    measures: Mapping[Measure, Measurement] = field(default_factory=dict)

    @property
    def backend(self) -> str:
        """The backend, in the version that the others are compared with."""
        return next(iter(self.cells)).backend

    @property
    def planned(self) -> Iterator[CellSteps]:
        """Those that can run."""
        yield from (steps for steps in self.cells.values() if isinstance(steps, CellSteps))

    @property
    def nodes(self) -> Iterator[Node]:
        """All that its rows are made of."""
        for steps in self.planned:
            yield from steps.nodes
        if self.timing is not None:
            yield self.timing
        yield from self.measures.values()


@dataclass(frozen=True)
class ModelSteps:
    """All of one model that a request asks for."""

    graph: ModelGraph
    request: Request
    groups: tuple[Group, ...]
    multiply_adds: Step | None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All that the rows are made of."""
        found = [node for group in self.groups for node in group.nodes]
        return (*found, self.multiply_adds) if self.multiply_adds is not None else tuple(found)


def plan(graph: ModelGraph, request: Request) -> ModelSteps:
    """The steps of one model's cells. It runs nothing."""
    cells = _with_given(request.cells) if graph.spec.int8 is not None else request.cells
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((unversioned(cell.backend), cell.device), []).append(cell)
    planned = [_group(graph, request, group) for group in groups.values()]
    timings = _timings(planned, request)
    timed = [
        _with_measurements(group, timings.get(device), request)
        for (_, device), group in zip(groups, planned, strict=True)
    ]
    return ModelSteps(graph, request, tuple(timed), graph.multiply_adds if timings else None)


def _timings(groups: Sequence[Group], request: Request) -> dict[str, Measurement]:
    """What is timed in turns, by device: INT8 has to be faster than the fastest float of any
    backend, which only times of the same moment tell."""
    if request.budget is None:
        return {}
    found: dict[str, list[tuple[Subject, ...]]] = {}
    for group in groups:
        subjects = tuple(each.subject for each in group.planned if each.subject is not None)
        if subjects:
            found.setdefault(subjects[0].cell.device, []).append(subjects)
    return {device: timing(each, request.threads, request.budget) for device, each in found.items()}


def _with_measurements(group: Group, timing: Measurement | None, request: Request) -> Group:
    """``group``, timed by ``timing``, with what follows from its times and what was asked for
    beside them."""
    subjects = [steps.subject for steps in group.planned if steps.subject is not None]
    if not subjects:
        return group
    cells = group.cells if timing is None else _with_gains(group.cells, timing, request.threads)
    measures = {
        name: measurement(name, subjects, request.threads, request.effort)
        for name in request.measures
    }
    return Group(cells, timing, measures)


def _with_gains(
    cells: Mapping[Cell, CellSteps | FqbenchError | str], timing: Measurement, threads: int
) -> dict[Cell, CellSteps | FqbenchError | str]:
    return {
        cell: steps
        if isinstance(steps, FqbenchError | str) or steps.subject is None
        else replace(steps, gain=gain(steps.subject, timing, threads))
        for cell, steps in cells.items()
    }


def _with_given(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """``cells``, and after the INT8 cells of a backend and device that of the spec's own file."""
    last = {(cell.backend, cell.device): cell for cell in cells if cell.precision == INT8.name}
    return tuple(
        each
        for cell in cells
        for each in (
            [cell, replace(cell, precision=INT8_FILE.name, method=None)]
            if cell in last.values()
            else [cell]
        )
    )


def _group(graph: ModelGraph, request: Request, cells: Sequence[Cell]) -> Group:
    first = baseline().name
    compared = {
        cell.backend for cell in cells if cell.precision == first and cell.unsupported is None
    }
    planned: dict[Cell, CellSteps | FqbenchError | str] = {}
    for cell in cells:
        unsupported = graph.unsupported(cell)
        if unsupported is not None:
            planned[cell] = unsupported
            continue
        try:
            planned[cell] = _cell(graph, request, cell, compares=cell.backend in compared)
        except FqbenchError as error:
            planned[cell] = error
    return Group(planned)


def _cell(graph: ModelGraph, request: Request, cell: Cell, *, compares: bool) -> CellSteps:
    """``compares``: whether FP32 is there to be compared with."""
    graph = graph.of(cell)
    labelled, known, made = graph.spec.labelled, precision(cell.precision), graph.made_by(cell)
    lowered = made is not None and made.yields == "quantization"
    whole = made is not None and made.yields == "model"
    subject = None
    if request.budget is not None or request.measures:
        subject = Subject.of(graph, cell, request.batch_of(cell))
    probed = made is not None and graph.is_probed(cell.backend)
    probe = graph.probe(cell.backend) if probed else None
    counts = whole and backend(cell.backend).saturates == "counted"
    return CellSteps(
        cell,
        graph.artifact(cell),
        subject,
        predictions=graph.predictions(cell) if labelled else None,
        score=graph.score(cell) if labelled else None,
        agreement=(
            graph.agreement(cell) if not labelled and compares and not known.baseline else None
        ),
        quantizing=graph.quantizing(cell.backend) if known.method == CHOSEN else (),
        probe=probe,
        examined=(
            graph.examined(cell)
            if graph.has_answers and compares and known.weights.kind != "float"
            else None
        ),
        without_float=graph.without_float(cell) if lowered and labelled else None,
        saturation=graph.saturation(cell) if counts else None,
        without_saturation=graph.without_saturation(cell) if counts and labelled else None,
        gpu=(
            on_gpu(subject, request.threads)
            if request.budget is not None and subject is not None and cell.device == "gpu"
            else None
        ),
    )
