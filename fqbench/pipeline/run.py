"""A whole run: the chosen cells of one model, one row each."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from fqbench.artifacts import Artifact, file_digest
from fqbench.backends import backend as backend_of
from fqbench.cells import Cell
from fqbench.errors import FqbenchError, StepError
from fqbench.margins import Margins
from fqbench.measure import reference, stats
from fqbench.measure.launches import Patience
from fqbench.measure.stats import Launches
from fqbench.pipeline.model import Answers, ModelPipeline, Timed
from fqbench.results import Row
from fqbench.samples import Group, Samples
from fqbench.spec import Folder
from fqbench.tune.choice import ACCURACY

_log = logging.getLogger(__name__)

GIVEN, HALF = "given", "half"
"""The methods of INT8 files that were made elsewhere, and of FP16."""


@dataclass(frozen=True)
class Plan:
    """What to measure and how hard.

    ``threads``: of the runtime, for latency. ``batch``: images of one inference that is timed on a
    GPU; on a CPU it is one. ``patience``: None where nothing is to be timed.
    """

    cells: tuple[Cell, ...]
    margins: Margins
    threads: int = 1
    batch: int = 1
    patience: Patience | None = field(default_factory=Patience)

    def batch_of(self, cell: Cell) -> int:
        """Images of one inference of ``cell`` that is timed."""
        return self.batch if cell.device == "gpu" else 1


@dataclass(frozen=True)
class _Measured:
    """A row in the making, with what later columns are computed from."""

    row: Row
    answers: Answers | None = None
    times: Launches = ()


@dataclass(frozen=True)
class Outcome:
    """The rows of cells, and what they were computed from."""

    rows: tuple[Row, ...] = ()
    samples: Samples = field(default_factory=Samples)

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome((*self.rows, *other.rows), self.samples + other.samples)


def run_model(pipeline: ModelPipeline, plan: Plan) -> Outcome:
    """One model's cells, in the plan's order. A cell that fails leaves the others be."""
    cells = _with_given(plan.cells) if pipeline.spec.int8 is not None else plan.cells
    groups = groupby(cells, key=lambda cell: (cell.backend, cell.device))
    return sum((_run_backend(pipeline, plan, tuple(group)) for _, group in groups), start=Outcome())


def _with_given(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """``cells``, and after each INT8 cell that of the spec's own INT8 file."""
    return tuple(
        each
        for cell in cells
        for each in ([cell, replace(cell, precision="int8_file")] if _is_int8(cell) else [cell])
    )


def _is_int8(cell: Cell) -> bool:
    return cell.precision == "int8"


def _run_backend(pipeline: ModelPipeline, plan: Plan, cells: Sequence[Cell]) -> Outcome:
    """FP32 and INT8 of one backend: built and evaluated apart, timed together."""
    measured: dict[str, _Measured] = {
        cell.precision: _evaluated(pipeline, plan, cell) for cell in cells
    }
    ready = [m.row.cell for m in measured.values() if m.row.status == "ok"]
    groups: tuple[Group, ...] = ()
    if ready and plan.patience is not None:
        batch = plan.batch_of(ready[0])
        timed = pipeline.times(ready, plan.threads, plan.patience, batch)
        groups = (Group({cell.id: t for cell, t in timed.cells.items()}, timed.reference),)
        for cell in ready:
            found = _with_times(pipeline, measured[cell.precision], timed)
            if cell.device == "gpu":
                found = _on_gpu(pipeline, found, plan.threads, batch)
            measured[cell.precision] = found
    if not pipeline.spec.labelled:
        for cell in cells:
            measured.update(_agreed(pipeline, measured, cell.precision))
    for cell in cells:
        if cell.precision != "fp32" and "fp32" in measured:
            found = measured[cell.precision]
            measured[cell.precision] = _compared(pipeline, measured["fp32"], found)
    accuracies = {
        m.row.cell.id: pipeline.resampled(m.answers).tolist()
        for m in measured.values()
        if m.answers is not None
    }
    rows = tuple(measured[cell.precision].row for cell in cells)
    return Outcome(rows, Samples(groups, accuracies))


def _evaluated(pipeline: ModelPipeline, plan: Plan, cell: Cell) -> _Measured:
    """Everything about a cell but its times."""
    spec = pipeline.spec
    row = Row(cell, "ok", weights=spec.weights, metric=spec.metric, dataset=spec.dataset.truth.name)
    if cell.unsupported is not None:
        return _Measured(replace(row, status="unsupported", reason=cell.unsupported))
    try:
        if cell.precision == "int8":
            row = _with_quantization(pipeline, plan, row)
        elif cell.precision == "int8_file":
            row = _of_given_file(pipeline, plan, row)
        elif cell.precision == "fp16":
            row = replace(row, method=HALF)
        artifact = pipeline.build.artifact(cell)
        files = _loaded(cell.backend, artifact)
        if plan.patience is not None:  # Whether more images at once can be is known before timing.
            pipeline.build.artifact(cell, plan.batch_of(cell))
        hashes = {
            **row.hashes,
            "artifact": artifact.key,
            "files": _files_digest(files),
            "images": pipeline.images.digest,
        }
        row = replace(row, size_mb=_size_mb(files), hashes=hashes)
        if isinstance(spec.dataset, Folder):
            images = len(pipeline.images.data.samples)
            return _Measured(replace(row, images=images, needs=f"needs {spec.dataset.needs}"))
        answers = pipeline.answers(cell)
        row = replace(
            row,
            accuracy=pipeline.accuracy(answers),
            images=len(answers.predictions),
            int8_convolutions=answers.int8_convolutions,
            hashes={**hashes, "truth": pipeline.images.truth},
        )
        row = _without_saturation(pipeline, row)
    except FqbenchError as error:
        return _Measured(replace(row, status="failed", reason=str(error)))
    return _Measured(row, answers)


def _agreed(
    pipeline: ModelPipeline, measured: Mapping[str, _Measured], precision: str
) -> dict[str, _Measured]:
    """The rows of FP32 and ``precision`` with how alike their outputs are, where both ran."""
    if precision == "fp32" or "fp32" not in measured:
        return {}
    fp32, int8 = (measured[each].row for each in ("fp32", precision))
    if not fp32.status == int8.status == "ok":
        return {}
    try:
        found = pipeline.agreement(fp32.cell, int8.cell)
    except FqbenchError as error:
        failed = replace(int8, status="failed", reason=str(error))
        return {precision: replace(measured[precision], row=failed)}
    fp32 = replace(fp32, int8_convolutions=found.fp32_convolutions)
    int8 = replace(int8, int8_convolutions=found.int8_convolutions, agreement=found.value)
    return {
        "fp32": replace(measured["fp32"], row=fp32),
        precision: replace(measured[precision], row=int8),
    }


def _with_quantization(pipeline: ModelPipeline, plan: Plan, row: Row) -> Row:
    build = pipeline.build
    quantization, lowering = build.quantization(row.cell), build.lowering(row.cell)
    choice = build.choice(row.cell)
    margin = plan.margins.for_cell(pipeline.spec, row.cell.backend, build.method)
    return replace(
        row,
        method=build.method,
        margin=margin.drop if margin is not None else None,
        quantize_s=quantization.seconds,
        convolutions=lowering.convolutions,
        int8_planned=lowering.quantized,
        float_layers=dict(choice.float_layers),
        slowdown=None if build.pays(row.cell) else build.slowdown(row.cell),
        layers=choice.layers,
        calibration=pipeline.images.calibration_name,
        cpu=pipeline.spec.cpu,
        saturates=_saturates(pipeline, row.cell),
        safe_layers=choice.in_integers(choice.safe),
        unsigned_layers=choice.in_integers(choice.unsigned),
        weight_errors=dict(choice.weights),
        hashes={"quantization": quantization.key, "calibration": quantization.calibration},
    )


def _of_given_file(pipeline: ModelPipeline, plan: Plan, row: Row) -> Row:
    margin = plan.margins.for_cell(pipeline.spec, row.cell.backend, GIVEN)
    row = replace(
        row,
        method=GIVEN,
        margin=margin.drop if margin is not None else None,
        saturates=_saturates(pipeline, row.cell),
    )
    if not row.saturates or backend_of(row.cell.backend).saturates != "counted":
        return row
    saturating, integer = pipeline.build.saturated_layers(row.cell)
    return replace(row, saturating_layers=saturating, integer_layers=integer)


def _without_saturation(pipeline: ModelPipeline, row: Row) -> Row:
    """The row of a given file with what it would score, if none of its layers saturated."""
    if not row.saturating_layers:
        return row
    exact = pipeline.answers(replace(row.cell, precision="int8_file_exact"))
    return replace(row, accuracy_exact=pipeline.accuracy(exact))


def _saturates(pipeline: ModelPipeline, cell: Cell) -> bool | None:
    """Whether 8-bit products saturate where ``cell`` runs; None where nothing is probed."""
    probed = backend_of(cell.backend).saturates != "never"
    return pipeline.saturates(cell.backend) if probed else None


def _with_times(pipeline: ModelPipeline, measured: _Measured, timed: Timed) -> _Measured:
    """The row with how long an inference takes."""
    row, cell = measured.row, measured.row.cell
    if cell in timed.failures:
        return replace(measured, row=replace(row, status="failed", reason=timed.failures[cell]))
    times, multiply_adds = timed.cells[cell], pipeline.multiply_adds()
    row = replace(
        row,
        latency=stats.latency(times),
        launches=len(times),
        stopped=timed.stopped,
        pinned=timed.pinned,
        multiply_adds=multiply_adds,
    )
    if cell.device == "cpu":  # whose peak the reference kernels tell
        kernel = reference.kernel_of(cell.precision)
        share = reference.roofline(multiply_adds, times, timed.reference, kernel)
        row = replace(row, roofline=share)
    return replace(measured, row=row, times=times)


def _on_gpu(pipeline: ModelPipeline, measured: _Measured, threads: int, batch: int) -> _Measured:
    """The row with where on the GPU the time goes."""
    row = replace(measured.row, batch=batch)
    if row.status == "ok":
        try:
            row = replace(row, gpu=pipeline.on_gpu(row.cell, threads, batch))
        except FqbenchError as error:
            row = replace(row, status="failed", reason=str(error))
    return replace(measured, row=row)


def _compared(pipeline: ModelPipeline, fp32: _Measured, int8: _Measured) -> _Measured:
    """The INT8 row with what only both rows together tell: ratio and drop."""
    row = int8.row
    if fp32.answers is not None and int8.answers is not None:
        row = replace(row, drop=pipeline.drop(fp32.answers, int8.answers))
        row = _without_fallback(pipeline, fp32.answers, row)
    if fp32.times and int8.times:
        row = replace(row, ratio=stats.ratio(fp32.times, int8.times))
    return replace(int8, row=row)


def _without_fallback(pipeline: ModelPipeline, fp32: Answers, row: Row) -> Row:
    """The row with what INT8 would lose, had no layer stayed in float for its accuracy."""
    if row.slowdown is not None or ACCURACY not in row.float_layers.values():
        return row
    try:
        everything = pipeline.answers(replace(row.cell, precision="int8_all"))
    except FqbenchError as error:
        # With every layer in INT8 it may answer nothing: what it would lose is not known then.
        _log.warning("%s: with no layer in float it cannot be evaluated: %s", row.cell.id, error)
        return row
    return replace(row, drop_all_int8=pipeline.drop(fp32, everything).value)


def _loaded(backend: str, artifact: Artifact) -> list[Path]:
    """The files of ``artifact`` that the backend loads. Raises StepError where there are none."""
    known = backend_of(backend)
    found = sorted(path for path in artifact.path.iterdir() if path.suffix in known.loads)
    if not found:
        raise StepError(
            f"{artifact.path} holds no file that {known.label} loads ({', '.join(known.loads)}):"
            " delete the folder, and the next run makes it again"
        )
    return found


def _size_mb(files: Sequence[Path]) -> float:
    """Size of what the backend loads, in 10^6 bytes."""
    return round(sum(path.stat().st_size for path in files) / 1e6, 3)


def _files_digest(files: Sequence[Path]) -> str:
    """SHA-256 of what the backend loads: the same files may come from other steps."""
    listed = "".join(f"{path.name} {file_digest(path)}\n" for path in files)
    return hashlib.sha256(listed.encode()).hexdigest()
