"""The rows of one model, and what they were computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fqbench.cells import Cell
from fqbench.examine.record import Broken
from fqbench.measure.stats import Launches
from fqbench.pipeline.best_float import against_best_float
from fqbench.pipeline.cell_steps import Group, ModelSteps
from fqbench.pipeline.measurements.sides import Measured
from fqbench.pipeline.rows.answered import evaluated
from fqbench.pipeline.rows.compared import agreed, beside, compared
from fqbench.pipeline.rows.draft import Draft, Ran
from fqbench.pipeline.rows.timed import on_gpu, with_gain, with_measures, with_times
from fqbench.pipeline.timing import Timed
from fqbench.results import Row
from fqbench.samples import Group as TimedGroup
from fqbench.samples import Samples
from fqbench.steps import Finished, Measurement


@dataclass(frozen=True)
class Outcome:
    """The rows of cells, and what they were computed from."""

    rows: tuple[Row, ...] = ()
    samples: Samples = field(default_factory=Samples)
    broken: Broken = field(default_factory=Broken)

    def __add__(self, other: Outcome) -> Outcome:
        broken = (self.broken + other.broken).limited()
        return Outcome((*self.rows, *other.rows), self.samples + other.samples, broken)


def outcome(planned: ModelSteps, finished: Finished) -> Outcome:
    """The rows of one model, in the order of its cells."""
    ran = Ran(planned, finished)
    measured = {cell: each for group in planned.groups for cell, each in _group(ran, group).items()}
    measured = _with_best_float(measured)
    timings = dict.fromkeys(g.timing for g in planned.groups if g.timing is not None)
    groups = tuple(group for timing in timings for group in _times(ran, timing))
    accuracies = {
        m.row.cell.id: m.points.tolist() for m in measured.values() if m.points is not None
    }
    rows = tuple(m.row for m in measured.values())
    broken = Broken({m.row.cell.id: m.broken for m in measured.values() if m.broken})
    return Outcome(rows, Samples(groups, accuracies, _values(ran)), broken)


def _with_best_float(measured: Mapping[Cell, Draft]) -> dict[Cell, Draft]:
    """The rows with how they compare with the fastest float on their device."""
    found = dict(measured)
    for device in dict.fromkeys(cell.device for cell in measured):
        times = {
            cell: each.times
            for cell, each in measured.items()
            if cell.device == device and each.times and each.is_ok
        }
        for cell, best in against_best_float(times).items():
            found[cell] = replace(found[cell], row=replace(found[cell].row, best_float=best))
    return found


def _group(ran: Ran, group: Group) -> dict[Cell, Draft]:
    """FP32 and INT8 of one backend, which are compared with each other, and its versions."""
    measured = {cell: evaluated(ran, cell, steps) for cell, steps in group.cells.items()}
    ready = [steps for steps in group.planned if measured[steps.cell].is_ok]
    if group.timing is not None:
        for steps in ready:
            found = with_times(ran, measured[steps.cell], group.timing)
            measured[steps.cell] = with_gain(ran, on_gpu(ran, found, steps), steps)
    for steps in group.planned:
        measured.update(agreed(ran, measured, steps))
    for steps in group.planned:
        cell = steps.cell
        fp32 = measured.get(cell.baseline)
        if fp32 is not None and fp32.row.cell != cell:
            measured[cell] = compared(ran, fp32, measured[cell], steps)
        first = measured.get(replace(cell, backend=group.backend))
        if first is not None and first.row.cell != cell:
            measured[cell] = beside(first, measured[cell])
    for steps in ready:
        measured[steps.cell] = with_measures(ran, measured[steps.cell], group)
    return measured


def _times(ran: Ran, timing: Measurement) -> tuple[TimedGroup, ...]:
    """The times of the cells that were timed together."""
    if ran.finished.failure(timing) is not None:
        return ()
    timed: Timed = ran.finished.value(timing)
    return (TimedGroup({c.id: t for c, t in timed.cells.items()}, timed.reference),)


def _values(ran: Ran) -> dict[str, dict[str, Launches]]:
    """What was measured beside latency, by its name and the id of its cell."""
    found: dict[str, dict[str, Launches]] = {}
    for name, node in (each for group in ran.planned.groups for each in group.measures.items()):
        if ran.finished.failure(node) is None:
            taken: Measured = ran.finished.value(node)
            values = {cell.id: values for cell, values in taken.values.items()}
            found.setdefault(name, {}).update(values)
    return found
