"""What is measured of cells on this machine now: latency, and where on a GPU the time goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from fqbench import isolate
from fqbench.backends import backend as backend_of
from fqbench.cells import Cell
from fqbench.environments.interpreter import interpreter
from fqbench.hardware import MEMORY_SHARE, memory_mb
from fqbench.isolate import Interpreter, SharedMemory
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.gpu_breakdown import GpuBreakdown
from fqbench.measure.launches import (
    MeasurementBudget,
    Process,
    Stopped,
    cell_process,
    kernels,
    narrow,
    record,
)
from fqbench.measure.messages import CellMeasurement
from fqbench.measure.reference import KERNELS
from fqbench.measure.stats import Launches
from fqbench.message import Message, read_answer
from fqbench.pipeline import decisions
from fqbench.pipeline.graph import ModelGraph
from fqbench.precisions import baseline
from fqbench.steps import ArtifactNode, Finished, Measurement, Select
from fqbench.steps.executor import environment
from fqbench.steps.step import STEP_S

Report = Callable[[str, int, int], None]

_Answer = TypeVar("_Answer")

_BREAKDOWN: TypeAdapter[GpuBreakdown | None] = TypeAdapter(GpuBreakdown | None)


@dataclass(frozen=True)
class Timed:
    """Times of cells, and of the reference kernels by name; see ``LaunchRecording``."""

    cells: Mapping[Cell, Launches]
    reference: Mapping[str, Launches]
    failures: Mapping[Cell, str]
    stopped: Stopped
    pinned: bool


@dataclass(frozen=True)
class Subject:
    """A cell to be measured with ``batch`` images an inference; ``loads``: the node of its file."""

    graph: ModelGraph
    cell: Cell
    loads: ArtifactNode
    batch: int = 1

    @staticmethod
    def of(graph: ModelGraph, cell: Cell, batch: int = 1) -> Subject:
        """The subject that ``cell`` of ``graph`` is. Raises as ``ModelGraph.artifact``."""
        of_method = graph.of(cell)
        return Subject(of_method, cell, of_method.artifact(cell, batch), batch)

    @property
    def image(self) -> Path:
        """What it is fed."""
        return self.graph.images.data.samples[0].path

    @property
    def interpreter(self) -> Interpreter:
        """The Python that runs it. Raises StepError where its environment is missing."""
        return interpreter(backend_of(self.cell.backend).environment)

    def loadable(self, finished: Finished) -> Loadable:
        """What a child needs to run it. Raises FqbenchError where its file could not be made."""
        artifact, precision = finished.artifact(self.loads), self.graph.runtime_precision(self.cell)
        network = self.graph.network(self.cell)
        if isinstance(network, Select) and finished.option(network) == decisions.FP32:
            precision = baseline().runtime_name
        return Loadable(
            artifact=artifact.path,
            backend=self.cell.backend,
            device=self.cell.device,
            precision=precision,
            reading=self.graph.reading_of(self.cell),
            batch=self.batch,
        )

    def key(self, finished: Finished) -> str:
        """What has the same times: backend, artifact and precision. Raises as ``loadable``."""
        precision = self.loadable(finished).precision
        return f"{self.cell.backend} {precision} {finished.artifact(self.loads).key}"

    def process(self, finished: Finished, threads: int, side: str) -> Process:
        """What times it, and calls it ``side``."""
        loadable = self.loadable(finished)
        return cell_process(self.cell.id, side, loadable, self.image, threads, self.interpreter)


def timing(
    groups: Sequence[Sequence[Subject]], threads: int, budget: MeasurementBudget
) -> Measurement:
    """Times of cells of one device and of the reference kernels, in turns: a ``Timed``.

    ``groups``: those of one backend each, whose first cell the others are compared with; ``budget``
    is that of one of them. Cells whose files could not be made are left out.
    """
    first = groups[0][0].cell
    return Measurement(
        "time",
        first.model,
        tuple(subject.loads for group in groups for subject in group),
        partial(_timed, tuple(map(tuple, groups)), threads, budget),
        " ".join(dict.fromkeys(group[0].cell.backend for group in groups)),
    )


def _timed(
    groups: Sequence[Sequence[Subject]],
    threads: int,
    budget: MeasurementBudget,
    finished: Finished,
    report: Report,
) -> Timed:
    """Cells of one backend that run the same artifact in the same precision have the same times."""
    ready = [[s for s in group if finished.failure(s.loads) is None] for group in groups]
    subjects = [subject for group in ready for subject in group]
    if not subjects:
        finished.artifact(groups[0][0].loads)  # Raises why.
    keys = {each.cell: each.key(finished) for each in subjects}
    processes = {
        keys[each.cell]: each.process(finished, threads, keys[each.cell]) for each in subjects[::-1]
    }
    compared = [list(dict.fromkeys(keys[s.cell] for s in group)) for group in ready if group]
    recorded = record(
        [*(processes[key] for key in dict.fromkeys(keys.values())), kernels(threads)],
        replace(budget, longest=budget.longest * len(compared)),
        lambda times: all(_is_narrow(group, times) for group in compared),
        on_launch=lambda done, most: report(f"launch {done}", done, most),
    )
    return Timed(
        {cell: recorded.times[key] for cell, key in keys.items() if key in recorded.times},
        {kernel: recorded.times[kernel] for kernel in KERNELS if kernel in recorded.times},
        {cell: recorded.failures[key] for cell, key in keys.items() if key in recorded.failures},
        recorded.stopped,
        recorded.pinned,
    )


def _is_narrow(sides: Sequence[str], times: Mapping[str, Launches]) -> bool:
    """Whether ``sides`` are known narrowly enough, as far as they could be timed."""
    there = [times[side] for side in sides if side in times]
    return not there or narrow(there)


def on_gpu(subject: Subject, threads: int) -> Measurement:
    """Where on the GPU an inference spends its time: a ``GpuBreakdown``, None where unknown."""
    take = partial(_on_gpu, subject, threads)
    return Measurement("on_gpu", subject.cell.model, (subject.loads,), take, subject.cell.id)


def _on_gpu(
    subject: Subject, threads: int, finished: Finished, report: Report
) -> GpuBreakdown | None:
    return measured(
        "fqbench.measure.gpu_breakdown:time_split",
        CellMeasurement(cell=subject.loadable(finished), image=subject.image, threads=threads),
        _BREAKDOWN,
        subject,
        threads,
        report,
    )


def measured(
    function: str,
    request: Message,
    answer: TypeAdapter[_Answer],
    subject: Subject,
    threads: int,
    report: Report,
) -> _Answer:
    """What ``function`` finds out about a cell in a child process of ``threads`` threads.

    It is called with the ``request`` and gives an ``answer``. Raises as ``isolate.call``.
    """
    name = f"measuring {subject.cell.id}"
    found = isolate.call(
        function,
        request.to_json(),
        env=environment(threads),
        timeout_s=STEP_S,
        memory=SharedMemory(int(MEMORY_SHARE * memory_mb())),
        on_progress=lambda done, total, told="": report(told, done, total),
        name=name,
        interpreter=subject.interpreter,
    )
    return read_answer(answer, found, name)
