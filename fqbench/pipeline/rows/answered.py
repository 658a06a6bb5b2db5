"""Everything about a cell but its times: its files, its accuracy, what became of its layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fqbench.cells import Cell
from fqbench.data.calibration import calibration_hash
from fqbench.errors import FqbenchError
from fqbench.methods import Method
from fqbench.pipeline import decisions
from fqbench.pipeline.cell_steps import CellSteps
from fqbench.pipeline.rows.draft import Draft, Ran
from fqbench.pipeline.written import (
    files_digest,
    loaded_files,
    points_of,
    read,
    seconds_of,
    size_mb,
)
from fqbench.precisions import precision
from fqbench.results import Further, Row
from fqbench.spec import Folder


def evaluated(ran: Ran, cell: Cell, steps: CellSteps | FqbenchError | str) -> Draft:
    """Everything about a cell but its times."""
    spec = ran.graph.spec
    row = Row(
        cell,
        "ok",
        weights=spec.weights,
        metric=spec.metric,
        dataset=spec.dataset.truth.name,
        notes=ran.graph.notes,
    )
    if isinstance(steps, str):
        return Draft(replace(row, status="unsupported", reason=steps))
    try:
        if isinstance(steps, FqbenchError):
            raise steps
        made = ran.graph.of(cell).made_by(cell)
        if made is None:
            row = replace(row, method=precision(cell.precision).method)
        elif made.yields == "quantization":
            row = _with_quantization(ran, row, steps)
        else:
            row = _of_whole_model(ran, row, steps, made)
        return _answered(ran, row, steps)
    except FqbenchError as error:
        return Draft(replace(row, status="failed", reason=str(error)))


def _answered(ran: Ran, row: Row, steps: CellSteps) -> Draft:
    """The row with its files, and its accuracy."""
    images, dataset = ran.graph.images, ran.graph.spec.dataset
    artifact = ran.finished.artifact(steps.loads)
    files = loaded_files(row.cell.backend, artifact)
    if steps.subject is not None:
        ran.finished.artifact(steps.subject.loads)  # Raises why it cannot be timed.
    hashes = {
        **row.hashes,
        "artifact": artifact.key,
        "files": files_digest(files),
        "images": images.digest,
    }
    row = replace(row, size_mb=size_mb(files), hashes=hashes)
    if isinstance(dataset, Folder):
        needs = f"needs {dataset.needs}"
        return Draft(replace(row, images=len(images.data.samples), needs=needs))
    assert steps.predictions is not None
    assert steps.score is not None
    facts = read(ran.finished.artifact(steps.predictions), "facts.json")
    scored = ran.finished.artifact(steps.score)
    points = points_of(scored)
    further = {n: np.array(found) for n, found in read(scored, "further.json").items()}
    row = replace(
        row,
        accuracy=float(points[0]),
        further={name: Further(float(found[0])) for name, found in further.items()},
        images=facts["images"],
        int8_convolutions=facts["int8_convolutions"],
        hashes={**hashes, "truth": images.truth},
    )
    if row.saturating_layers and steps.without_saturation is not None:
        exact = points_of(ran.finished.artifact(steps.without_saturation))
        row = replace(row, accuracy_exact=float(exact[0]))
    return Draft(row, points, further)


def _with_quantization(ran: Ran, row: Row, steps: CellSteps) -> Row:
    graph = ran.graph.of(row.cell)
    *_, quantized, chosen, lowered = (ran.finished.artifact(s) for s in steps.quantizing)
    choice, plan = decisions.choice_of(chosen), read(lowered, "plan.json")
    runs_int8 = not ran.took_fp32(steps.loads)
    margin = ran.request.margins.for_cell(graph.spec, row.cell.backend, graph.method)
    return replace(
        row,
        method=graph.method,
        margin=margin.drop if margin is not None else None,
        quantize_s=_quantizing_seconds(ran, steps),
        convolutions=plan["convolutions"],
        int8_planned=plan["quantized"] if runs_int8 else 0,
        float_layers={**(plan["float_layers"] if runs_int8 else {}), **choice.float_layers},
        float_operators=plan["float_operators"] if runs_int8 else {},
        slowdown=None if runs_int8 else choice.slowdown,
        layers=choice.layers,
        calibration=graph.images.calibration_name,
        cpu=graph.spec.cpu,
        saturates=_saturates(ran, steps),
        safe_layers=choice.in_integers(choice.safe),
        unsigned_layers=choice.in_integers(choice.unsigned),
        weight_errors=dict(choice.weights),
        hashes={
            "quantization": quantized.key,
            "calibration": calibration_hash(graph.images.calibration),
        },
    )


def _of_whole_model(ran: Ran, row: Row, steps: CellSteps, made: Method) -> Row:
    """The row of an INT8 model that is not lowered here: nothing is known of its layers."""
    margin = ran.request.margins.for_cell(ran.graph.spec, row.cell.backend, made.name)
    row = replace(
        row,
        method=made.name,
        margin=margin.drop if margin is not None else None,
        quantize_s=_quantizing_seconds(ran, steps) if steps.quantizing else None,
        saturates=_saturates(ran, steps),
    )
    if not row.saturates or steps.saturation is None:
        return row
    counts = decisions.saturated_sums(ran.finished.artifact(steps.saturation))
    saturating = sum(count > 0 for count in counts.values())
    return replace(row, saturating_layers=saturating, integer_layers=len(counts))


def _quantizing_seconds(ran: Ran, steps: CellSteps) -> float:
    """What all steps from the canonical graph to the INT8 form took."""
    return seconds_of(ran.finished.artifact(step) for step in steps.quantizing)


def _saturates(ran: Ran, steps: CellSteps) -> bool | None:
    """Whether 8-bit products saturate where a cell runs; None where nothing is probed.

    Where that could not be found out they are taken to.
    """
    if steps.probe is None:
        return None
    if ran.finished.failure(steps.probe) is not None:
        return True
    return bool(read(ran.finished.artifact(steps.probe), "kernels.json")["saturates"])
