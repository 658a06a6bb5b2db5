"""A whole run: the chosen cells of one model, one row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from fqbench.artifacts import Artifact
from fqbench.cells import PRECISIONS, Cell
from fqbench.errors import FqbenchError
from fqbench.margins import Margins
from fqbench.measure import stats
from fqbench.measure.latency import Effort
from fqbench.pipeline.build import METHOD
from fqbench.pipeline.model import Answers, ModelPipeline
from fqbench.results import Row
from fqbench.spec import Folder


@dataclass(frozen=True)
class Plan:
    """What to measure and how hard. ``threads``: of the runtime, for latency."""

    cells: tuple[Cell, ...]
    margins: Margins
    threads: int = 1
    effort: Effort = field(default_factory=Effort)


@dataclass(frozen=True)
class _Measured:
    """A row in the making, with what later columns are computed from."""

    row: Row
    answers: Answers | None = None
    blocks: stats.Blocks = ()


def run_model(
    pipeline: ModelPipeline, plan: Plan, on_row: Callable[[Row], None] = lambda row: None
) -> tuple[Row, ...]:
    """Rows of one model's cells, in the plan's order. A cell that fails leaves the others be."""
    rows: list[Row] = []
    for _, group in groupby(plan.cells, key=lambda cell: (cell.backend, cell.device)):
        for row in _run_backend(pipeline, plan, tuple(group)):
            rows.append(row)
            on_row(row)
    return tuple(rows)


def _run_backend(pipeline: ModelPipeline, plan: Plan, cells: Sequence[Cell]) -> Iterator[Row]:
    """FP32 and INT8 of one backend: built and evaluated apart, timed together."""
    measured: dict[str, _Measured] = {
        cell.precision: _evaluated(pipeline, plan, cell) for cell in cells
    }
    ready = [m.row.cell for m in measured.values() if m.row.status == "ok"]
    for cell, outcome in _timed(pipeline, plan, ready).items():
        measured[cell.precision] = _with_times(measured[cell.precision], outcome)
    if not pipeline.spec.labelled:
        measured = _agreed(pipeline, measured)
    for cell in cells:
        found, reference = measured[cell.precision], measured.get("fp32")
        if cell.precision == "int8" and reference is not None:
            found = _compared(pipeline, reference, found)
        yield found.row


def _evaluated(pipeline: ModelPipeline, plan: Plan, cell: Cell) -> _Measured:
    """Everything about a cell but its times."""
    spec = pipeline.spec
    row = Row(cell, "ok", weights=spec.weights, metric=spec.metric, dataset=spec.dataset.truth.name)
    if cell.unsupported is not None:
        return _Measured(replace(row, status="unsupported", reason=cell.unsupported))
    try:
        if cell.precision == "int8":
            row = _with_quantization(pipeline, plan, row)
        artifact = pipeline.build.artifact(cell)
        row = replace(
            row, size_mb=_size_mb(artifact), hashes={**row.hashes, "artifact": artifact.key}
        )
        if isinstance(spec.dataset, Folder):
            images = len(pipeline.images.data.samples)
            return _Measured(replace(row, images=images, needs=f"needs {spec.dataset.needs}"))
        answers = pipeline.answers(cell)
        row = replace(
            row,
            accuracy=pipeline.accuracy(answers),
            images=len(answers.predictions),
            int8_convolutions=answers.int8_convolutions,
        )
    except FqbenchError as error:
        return _Measured(replace(row, status="failed", reason=str(error)))
    return _Measured(row, answers)


def _agreed(pipeline: ModelPipeline, measured: Mapping[str, _Measured]) -> dict[str, _Measured]:
    """The rows with how alike their outputs are, where both precisions ran."""
    rows = {precision: m.row for precision, m in measured.items() if m.row.status == "ok"}
    if len(rows) < len(PRECISIONS):
        return dict(measured)
    fp32, int8 = (rows[precision] for precision in PRECISIONS)
    try:
        found = pipeline.agreement(fp32.cell, int8.cell)
    except FqbenchError as error:
        int8 = replace(int8, status="failed", reason=str(error))
    else:
        fp32 = replace(fp32, int8_convolutions=found.fp32_convolutions)
        int8 = replace(int8, int8_convolutions=found.int8_convolutions, agreement=found.value)
    return {
        "fp32": replace(measured["fp32"], row=fp32),
        "int8": replace(measured["int8"], row=int8),
    }


def _with_quantization(pipeline: ModelPipeline, plan: Plan, row: Row) -> Row:
    quantization, lowering = pipeline.build.quantization, pipeline.build.lowering(row.cell)
    margin = plan.margins.for_cell(pipeline.spec, row.cell.backend, METHOD)
    return replace(
        row,
        method=METHOD,
        margin=margin.drop if margin is not None else None,
        quantize_s=quantization.seconds,
        convolutions=lowering.convolutions,
        int8_planned=lowering.quantized,
        hashes={"quantization": quantization.key, "calibration": quantization.calibration},
    )


def _timed(
    pipeline: ModelPipeline, plan: Plan, cells: Sequence[Cell]
) -> dict[Cell, stats.Blocks | str]:
    """Times of each cell, or why there are none.

    The cells share a process, so that they can take turns; where one of them ends it, each is
    timed once more by itself and only the culprit fails.
    """
    if not cells:
        return {}
    try:
        return dict(pipeline.times(cells, plan.threads, plan.effort))
    except FqbenchError as error:
        if len(cells) == 1:
            return {cells[0]: str(error)}
    apart: dict[Cell, stats.Blocks | str] = {}
    for cell in cells:
        apart.update(_timed(pipeline, plan, [cell]))
    return apart


def _with_times(measured: _Measured, outcome: stats.Blocks | str) -> _Measured:
    if isinstance(outcome, str):
        return replace(measured, row=replace(measured.row, status="failed", reason=outcome))
    row = replace(measured.row, latency=stats.latency(outcome))
    return replace(measured, row=row, blocks=outcome)


def _compared(pipeline: ModelPipeline, fp32: _Measured, int8: _Measured) -> _Measured:
    """The INT8 row with what only both rows together tell: ratio and drop."""
    row = int8.row
    if fp32.answers is not None and int8.answers is not None:
        row = replace(row, drop=pipeline.drop(fp32.answers, int8.answers))
    if fp32.blocks and len(fp32.blocks) == len(int8.blocks):
        row = replace(row, ratio=stats.ratio(fp32.blocks, int8.blocks))
    return replace(int8, row=row)


def _size_mb(artifact: Artifact) -> float:
    """Size of the files that the backend loads, in 10^6 bytes."""
    endings = (".onnx", ".pdmodel", ".pdiparams")
    files: Mapping[str, int] = {
        path.name: path.stat().st_size for path in artifact.path.iterdir() if path.suffix in endings
    }
    return round(sum(files.values()) / 1e6, 3)
