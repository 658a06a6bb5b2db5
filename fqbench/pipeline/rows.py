"""Rows, from what the steps of a model's cells came to. Nothing here runs a step."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.artifacts import Artifact, file_digest
from fqbench.backends import backend as backend_of
from fqbench.cells import Cell
from fqbench.data.calibration import calibration_hash
from fqbench.errors import FqbenchError, StepError
from fqbench.examine.record import Broken, Examined, PartedImage
from fqbench.measure import reference, stats
from fqbench.measure.accuracy import lost
from fqbench.measure.measures import Figure, Measure, NotMeasured
from fqbench.measure.stats import Launches
from fqbench.methods import Method
from fqbench.pipeline import decisions
from fqbench.pipeline.best_float import against_best_float
from fqbench.pipeline.cell_steps import CellSteps, Group, ModelSteps
from fqbench.pipeline.measurements.sides import Measured
from fqbench.pipeline.timing import Timed
from fqbench.precisions import precision
from fqbench.results import Beside, Further, Row
from fqbench.samples import Group as TimedGroup
from fqbench.samples import Samples
from fqbench.spec import Folder
from fqbench.steps import Finished, Measurement, Node, Select

_log = logging.getLogger(__name__)

Points = NDArray[np.float64]
"""Accuracy on all images, then on resamples of them."""


@dataclass(frozen=True)
class Outcome:
    """The rows of cells, and what they were computed from."""

    rows: tuple[Row, ...] = ()
    samples: Samples = field(default_factory=Samples)
    broken: Broken = field(default_factory=Broken)

    def __add__(self, other: Outcome) -> Outcome:
        broken = (self.broken + other.broken).limited()
        return Outcome((*self.rows, *other.rows), self.samples + other.samples, broken)


@dataclass(frozen=True)
class _Measured:
    """A row in the making, with what later columns are computed from."""

    row: Row
    points: Points | None = None
    further: Mapping[str, Points] = field(default_factory=dict)
    times: Launches = ()
    broken: tuple[PartedImage, ...] = ()


def outcome(planned: ModelSteps, finished: Finished) -> Outcome:
    """The rows of one model, in the order of its cells."""
    made = _Rows(planned, finished)
    measured = {cell: each for group in planned.groups for cell, each in made.of(group).items()}
    measured = _with_best_float(measured)
    timings = dict.fromkeys(g.timing for g in planned.groups if g.timing is not None)
    groups = tuple(group for timing in timings for group in made.timed_groups(timing))
    accuracies = {
        m.row.cell.id: m.points.tolist() for m in measured.values() if m.points is not None
    }
    rows = tuple(m.row for m in measured.values())
    broken = Broken({m.row.cell.id: m.broken for m in measured.values() if m.broken})
    return Outcome(rows, Samples(groups, accuracies, made.values(planned.groups)), broken)


def _with_best_float(measured: Mapping[Cell, _Measured]) -> dict[Cell, _Measured]:
    """The rows with how they compare with the fastest float on their device."""
    found = dict(measured)
    for device in dict.fromkeys(cell.device for cell in measured):
        times = {
            cell: each.times
            for cell, each in measured.items()
            if cell.device == device and each.times and _is_ok(each)
        }
        for cell, best in against_best_float(times).items():
            found[cell] = replace(found[cell], row=replace(found[cell].row, best_float=best))
    return found


class _Rows:
    """Makes the rows of one model."""

    def __init__(self, planned: ModelSteps, finished: Finished) -> None:
        self._planned, self._finished = planned, finished
        self._graph, self._request = planned.graph, planned.request

    def of(self, group: Group) -> dict[Cell, _Measured]:
        """FP32 and INT8 of one backend, which are compared with each other, and its versions."""
        measured = {cell: self._evaluated(cell, steps) for cell, steps in group.cells.items()}
        ready = [steps for steps in group.planned if _is_ok(measured[steps.cell])]
        if group.timing is not None:
            for steps in ready:
                found = self._with_times(measured[steps.cell], group.timing)
                measured[steps.cell] = self._with_gain(self._on_gpu(found, steps), steps)
        for steps in group.planned:
            measured.update(self._agreed(measured, steps))
        for steps in group.planned:
            cell = steps.cell
            fp32 = measured.get(cell.baseline)
            if fp32 is not None and fp32.row.cell != cell:
                measured[cell] = self._compared(fp32, measured[cell], steps)
            first = measured.get(replace(cell, backend=group.backend))
            if first is not None and first.row.cell != cell:
                measured[cell] = _beside(first, measured[cell])
        for steps in ready:
            measured[steps.cell] = self._with_measures(measured[steps.cell], group)
        return measured

    def _evaluated(self, cell: Cell, steps: CellSteps | FqbenchError | str) -> _Measured:
        """Everything about a cell but its times."""
        spec = self._graph.spec
        row = Row(
            cell,
            "ok",
            weights=spec.weights,
            metric=spec.metric,
            dataset=spec.dataset.truth.name,
            notes=self._graph.notes,
        )
        if isinstance(steps, str):
            return _Measured(replace(row, status="unsupported", reason=steps))
        try:
            if isinstance(steps, FqbenchError):
                raise steps
            made = self._graph.of(cell).made_by(cell)
            if made is None:
                row = replace(row, method=precision(cell.precision).method)
            elif made.yields == "quantization":
                row = self._with_quantization(row, steps)
            else:
                row = self._of_whole_model(row, steps, made)
            return self._answered(row, steps)
        except FqbenchError as error:
            return _Measured(replace(row, status="failed", reason=str(error)))

    def _answered(self, row: Row, steps: CellSteps) -> _Measured:
        """The row with its files, and its accuracy."""
        images, dataset = self._graph.images, self._graph.spec.dataset
        artifact = self._finished.artifact(steps.loads)
        files = loaded_files(row.cell.backend, artifact)
        if steps.subject is not None:
            self._finished.artifact(steps.subject.loads)  # Raises why it cannot be timed.
        hashes = {
            **row.hashes,
            "artifact": artifact.key,
            "files": _files_digest(files),
            "images": images.digest,
        }
        row = replace(row, size_mb=size_mb(files), hashes=hashes)
        if isinstance(dataset, Folder):
            needs = f"needs {dataset.needs}"
            return _Measured(replace(row, images=len(images.data.samples), needs=needs))
        assert steps.predictions is not None
        assert steps.score is not None
        facts = _read(self._finished.artifact(steps.predictions), "facts.json")
        scored = self._finished.artifact(steps.score)
        points = points_of(scored)
        further = {n: np.array(found) for n, found in _read(scored, "further.json").items()}
        row = replace(
            row,
            accuracy=float(points[0]),
            further={name: Further(float(found[0])) for name, found in further.items()},
            images=facts["images"],
            int8_convolutions=facts["int8_convolutions"],
            hashes={**hashes, "truth": images.truth},
        )
        if row.saturating_layers and steps.without_saturation is not None:
            exact = points_of(self._finished.artifact(steps.without_saturation))
            row = replace(row, accuracy_exact=float(exact[0]))
        return _Measured(row, points, further)

    def _with_quantization(self, row: Row, steps: CellSteps) -> Row:
        graph = self._graph.of(row.cell)
        *_, quantized, chosen, lowered = (self._finished.artifact(s) for s in steps.quantizing)
        choice, plan = decisions.choice_of(chosen), _read(lowered, "plan.json")
        runs_int8 = not self._took_fp32(steps.loads)
        margin = self._request.margins.for_cell(graph.spec, row.cell.backend, graph.method)
        return replace(
            row,
            method=graph.method,
            margin=margin.drop if margin is not None else None,
            quantize_s=self.quantizing_seconds(steps),
            convolutions=plan["convolutions"],
            int8_planned=plan["quantized"] if runs_int8 else 0,
            float_layers=dict(choice.float_layers),
            float_operators=plan["float_operators"] if runs_int8 else {},
            slowdown=None if runs_int8 else choice.slowdown,
            layers=choice.layers,
            calibration=graph.images.calibration_name,
            cpu=graph.spec.cpu,
            saturates=self._saturates(steps),
            safe_layers=choice.in_integers(choice.safe),
            unsigned_layers=choice.in_integers(choice.unsigned),
            weight_errors=dict(choice.weights),
            hashes={
                "quantization": quantized.key,
                "calibration": calibration_hash(graph.images.calibration),
            },
        )

    def quantizing_seconds(self, steps: CellSteps) -> float:
        """What all steps from the canonical graph to the INT8 form took."""
        return seconds_of(self._finished.artifact(step) for step in steps.quantizing)

    def _of_whole_model(self, row: Row, steps: CellSteps, made: Method) -> Row:
        """The row of an INT8 model that is not lowered here: nothing is known of its layers."""
        margin = self._request.margins.for_cell(self._graph.spec, row.cell.backend, made.name)
        row = replace(
            row,
            method=made.name,
            margin=margin.drop if margin is not None else None,
            quantize_s=self.quantizing_seconds(steps) if steps.quantizing else None,
            saturates=self._saturates(steps),
        )
        if not row.saturates or steps.saturation is None:
            return row
        counts = decisions.saturated_sums(self._finished.artifact(steps.saturation))
        saturating = sum(count > 0 for count in counts.values())
        return replace(row, saturating_layers=saturating, integer_layers=len(counts))

    def _saturates(self, steps: CellSteps) -> bool | None:
        """Whether 8-bit products saturate where a cell runs; None where nothing is probed.

        Where that could not be found out they are taken to.
        """
        if steps.probe is None:
            return None
        if self._finished.failure(steps.probe) is not None:
            return True
        return bool(_read(self._finished.artifact(steps.probe), "kernels.json")["saturates"])

    def _took_fp32(self, node: Node) -> bool:
        """Whether FP32 runs in the place of INT8."""
        return isinstance(node, Select) and self._finished.option(node) == decisions.FP32

    def timed_groups(self, timing: Measurement) -> tuple[TimedGroup, ...]:
        """The times of the cells that were timed together."""
        if self._finished.failure(timing) is not None:
            return ()
        timed: Timed = self._finished.value(timing)
        return (TimedGroup({c.id: t for c, t in timed.cells.items()}, timed.reference),)

    def _with_times(self, measured: _Measured, timing: Measurement) -> _Measured:
        """The row with how long an inference takes."""
        row, cell = measured.row, measured.row.cell
        try:
            timed: Timed = self._finished.value(timing)
            if cell in timed.failures:
                raise StepError(timed.failures[cell])
            assert self._planned.multiply_adds is not None
            counted = self._finished.artifact(self._planned.multiply_adds)
        except FqbenchError as error:
            return replace(measured, row=replace(row, status="failed", reason=str(error)))
        times, multiply_adds = timed.cells[cell], _read(counted, "multiply_adds.json")
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

    def _on_gpu(self, measured: _Measured, steps: CellSteps) -> _Measured:
        """The row with where on the GPU the time goes."""
        if steps.gpu is None:
            return measured
        row = replace(measured.row, batch=self._request.batch_of(steps.cell))
        if row.status == "ok":
            try:
                row = replace(row, gpu=self._finished.value(steps.gpu))
            except FqbenchError as error:
                row = replace(row, status="failed", reason=str(error))
        return replace(measured, row=row)

    def _with_gain(self, measured: _Measured, steps: CellSteps) -> _Measured:
        """The row with where INT8 saves time and where not, if it is no faster than float."""
        if steps.gain is None or not _is_ok(measured):
            return measured
        try:
            found = self._finished.value(steps.gain)
        except FqbenchError as error:
            _log.warning("%s: why it is no faster is not known: %s", steps.cell.id, error)
            return measured
        return replace(measured, row=replace(measured.row, int8_gain=found))

    def _with_measures(self, measured: _Measured, group: Group) -> _Measured:
        """The row with what was measured beside latency."""
        cell, figures = measured.row.cell, dict[Measure, Figure]()
        for name, node in group.measures.items():
            try:
                found: Measured = self._finished.value(node)
                figures[name] = found.figures[cell]
            except FqbenchError as error:
                figures[name] = NotMeasured(str(error), failed=True)
        return replace(measured, row=replace(measured.row, measures=figures))

    def values(self, groups: Sequence[Group]) -> dict[str, dict[str, Launches]]:
        """What was measured beside latency, by its name and the id of its cell."""
        found: dict[str, dict[str, Launches]] = {}
        for name, node in (each for group in groups for each in group.measures.items()):
            if self._finished.failure(node) is None:
                taken: Measured = self._finished.value(node)
                values = {cell.id: values for cell, values in taken.values.items()}
                found.setdefault(name, {}).update(values)
        return found

    def _agreed(
        self, measured: Mapping[Cell, _Measured], steps: CellSteps
    ) -> dict[Cell, _Measured]:
        """The rows of FP32 and of a cell with how alike their outputs are, where both ran."""
        if steps.agreement is None:
            return {}
        other = steps.cell
        first = other.baseline
        fp32, int8 = (measured[each].row for each in (first, other))
        if not fp32.status == int8.status == "ok":
            return {}
        try:
            found = _read(self._finished.artifact(steps.agreement), "agreement.json")
        except FqbenchError as error:
            failed = replace(int8, status="failed", reason=str(error))
            return {other: replace(measured[other], row=failed)}
        of_fp32, of_int8 = found["int8_convolutions"]
        fp32 = replace(fp32, int8_convolutions=of_fp32)
        int8 = replace(int8, int8_convolutions=of_int8, agreement=found["agreement"])
        return {
            first: replace(measured[first], row=fp32),
            other: replace(measured[other], row=int8),
        }

    def _compared(self, fp32: _Measured, int8: _Measured, steps: CellSteps) -> _Measured:
        """The INT8 row with what only both rows together tell: ratio and drop."""
        row = int8.row
        if fp32.points is not None and int8.points is not None:
            further = {
                name: Further(float(found[0]), lost(fp32.further[name], found))
                for name, found in int8.further.items()
                if name in fp32.further
            }
            row = replace(row, drop=lost(fp32.points, int8.points), further=further)
            row = self._without_fallback(fp32.points, row, steps)
        if fp32.times and int8.times:
            row = replace(row, ratio=stats.ratio(fp32.times, int8.times))
        examined = self._examined(steps) if fp32.row.status == row.status == "ok" else None
        if examined is not None:
            row = replace(row, changes=examined.changes)
            return replace(int8, row=row, broken=examined.worst)
        return replace(int8, row=row)

    def _examined(self, steps: CellSteps) -> Examined | None:
        """What INT8 changes, image by image; None where that is not looked at or FP32 runs."""
        node = steps.examined
        if node is None:
            return None
        try:
            if self._took_fp32(node):
                return None
            return Examined.read(self._finished.artifact(node).file("examined.json"))
        except FqbenchError as error:
            _log.warning("%s: what INT8 changes is not known: %s", steps.cell.id, error)
            return None

    def _without_fallback(self, fp32: Points, row: Row, steps: CellSteps) -> Row:
        """The row with what INT8 would lose, had no layer stayed in float for its accuracy."""
        node = steps.without_float
        if node is None:
            return row
        try:
            if not isinstance(node, Select) or self._finished.option(node) == decisions.SAME:
                return row
            everything = points_of(self._finished.artifact(node))
        except FqbenchError as error:
            # With every layer in INT8 it may answer nothing: what it would lose is not known then.
            _log.warning(
                "%s: with no layer in float it cannot be evaluated: %s", row.cell.id, error
            )
            return row
        return replace(row, drop_all_int8=lost(fp32, everything).value)


def _beside(first: _Measured, version: _Measured) -> _Measured:
    """The row of a cell with how it compares with that of the first version, if both ran."""
    ratio = drop = None
    if first.times and version.times:
        ratio = stats.ratio(first.times, version.times)
    if first.points is not None and version.points is not None:
        drop = lost(first.points, version.points)
    if ratio is None and drop is None:
        return version
    return replace(version, row=replace(version.row, beside=Beside(first.row.cell, ratio, drop)))


def points_of(scored: Artifact) -> Points:
    """What the step ``score`` wrote."""
    return np.array(_read(scored, "accuracy.json"))


def _is_ok(measured: _Measured) -> bool:
    return measured.row.status == "ok"


def seconds_of(artifacts: Any) -> float:
    """Seconds that making different ``artifacts`` took."""
    different = {artifact.key: artifact for artifact in artifacts}
    return sum(float(_read(each, "timing.json")["seconds"]) for each in different.values())


def _read(artifact: Artifact, name: str) -> Any:
    return json.loads(artifact.file(name).read_text())


def loaded_files(backend: str, artifact: Artifact) -> list[Path]:
    """The files of ``artifact`` that the backend loads. Raises StepError where there are none."""
    known = backend_of(backend)
    found = sorted(path for path in artifact.path.iterdir() if path.suffix in known.loads)
    if not found:
        raise StepError(
            f"{artifact.path} holds no file that {known.label} loads ({', '.join(known.loads)}):"
            " delete the folder, and the next run makes it again"
        )
    return found


def size_mb(files: Sequence[Path]) -> float:
    """Size of what the backend loads, in 10^6 bytes."""
    return round(sum(path.stat().st_size for path in files) / 1e6, 3)


def _files_digest(files: Sequence[Path]) -> str:
    """SHA-256 of what the backend loads: the same files may come from other steps."""
    listed = "".join(f"{path.name} {file_digest(path)}\n" for path in files)
    return hashlib.sha256(listed.encode()).hexdigest()
