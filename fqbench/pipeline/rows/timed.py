"""What was measured of a cell: its times, where they go, and what else was asked for."""

from __future__ import annotations

import logging
from dataclasses import replace

from fqbench.errors import FqbenchError, StepError
from fqbench.measure import reference, stats
from fqbench.measure.measures import Figure, Measure, NotMeasured
from fqbench.pipeline.cell_steps import CellSteps, Group
from fqbench.pipeline.measurements.sides import Measured
from fqbench.pipeline.rows.draft import Draft, Ran
from fqbench.pipeline.timing import Timed
from fqbench.pipeline.written import read
from fqbench.steps import Measurement

_log = logging.getLogger(__name__)


def with_times(ran: Ran, measured: Draft, timing: Measurement) -> Draft:
    """The row with how long an inference takes."""
    row, cell = measured.row, measured.row.cell
    try:
        timed: Timed = ran.finished.value(timing)
        if cell in timed.failures:
            raise StepError(timed.failures[cell])
        assert ran.planned.multiply_adds is not None
        counted = ran.finished.artifact(ran.planned.multiply_adds)
    except FqbenchError as error:
        return replace(measured, row=replace(row, status="failed", reason=str(error)))
    times, multiply_adds = timed.cells[cell], read(counted, "multiply_adds.json")
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


def on_gpu(ran: Ran, measured: Draft, steps: CellSteps) -> Draft:
    """The row with where on the GPU the time goes."""
    if steps.gpu is None:
        return measured
    row = replace(measured.row, batch=ran.request.batch_of(steps.cell))
    if row.status == "ok":
        try:
            row = replace(row, gpu=ran.finished.value(steps.gpu))
        except FqbenchError as error:
            row = replace(row, status="failed", reason=str(error))
    return replace(measured, row=row)


def with_gain(ran: Ran, measured: Draft, steps: CellSteps) -> Draft:
    """The row with where INT8 saves time and where not, if it is no faster than float."""
    if steps.gain is None or not measured.is_ok:
        return measured
    try:
        found = ran.finished.value(steps.gain)
    except FqbenchError as error:
        _log.warning("%s: why it is no faster is not known: %s", steps.cell.id, error)
        return measured
    return replace(measured, row=replace(measured.row, int8_gain=found))


def with_measures(ran: Ran, measured: Draft, group: Group) -> Draft:
    """The row with what was measured beside latency."""
    cell, figures = measured.row.cell, dict[Measure, Figure]()
    for name, node in group.measures.items():
        try:
            found: Measured = ran.finished.value(node)
            figures[name] = found.figures[cell]
        except FqbenchError as error:
            figures[name] = NotMeasured(str(error), failed=True)
    return replace(measured, row=replace(measured.row, measures=figures))
