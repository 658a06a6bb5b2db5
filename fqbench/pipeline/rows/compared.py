"""What only two rows together tell: agreement, ratio and drop."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from fqbench.cells import Cell
from fqbench.errors import FqbenchError
from fqbench.examine.record import Examined
from fqbench.measure import stats
from fqbench.measure.accuracy import lost
from fqbench.pipeline import decisions
from fqbench.pipeline.cell_steps import CellSteps
from fqbench.pipeline.rows.draft import Draft, Ran
from fqbench.pipeline.written import Points, points_of, read
from fqbench.results import Beside, Further, Row
from fqbench.steps import Select

_log = logging.getLogger(__name__)


def agreed(ran: Ran, measured: Mapping[Cell, Draft], steps: CellSteps) -> dict[Cell, Draft]:
    """The rows of FP32 and of a cell with how alike their outputs are, where both ran."""
    if steps.agreement is None:
        return {}
    other = steps.cell
    first = other.baseline
    fp32, int8 = (measured[each].row for each in (first, other))
    if not fp32.status == int8.status == "ok":
        return {}
    try:
        found = read(ran.finished.artifact(steps.agreement), "agreement.json")
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


def compared(ran: Ran, fp32: Draft, int8: Draft, steps: CellSteps) -> Draft:
    """The INT8 row with what only both rows together tell: ratio and drop."""
    row = int8.row
    if fp32.points is not None and int8.points is not None:
        further = {
            name: Further(float(found[0]), lost(fp32.further[name], found))
            for name, found in int8.further.items()
            if name in fp32.further
        }
        row = replace(row, drop=lost(fp32.points, int8.points), further=further)
        row = _without_fallback(ran, fp32.points, row, steps)
    if fp32.times and int8.times:
        row = replace(row, ratio=stats.ratio(fp32.times, int8.times))
    examined = _examined(ran, steps) if fp32.row.status == row.status == "ok" else None
    if examined is not None:
        row = replace(row, changes=examined.changes)
        return replace(int8, row=row, broken=examined.worst)
    return replace(int8, row=row)


def beside(first: Draft, version: Draft) -> Draft:
    """The row of a cell with how it compares with that of the first version, if both ran."""
    ratio = drop = None
    if first.times and version.times:
        ratio = stats.ratio(first.times, version.times)
    if first.points is not None and version.points is not None:
        drop = lost(first.points, version.points)
    if ratio is None and drop is None:
        return version
    return replace(version, row=replace(version.row, beside=Beside(first.row.cell, ratio, drop)))


def _examined(ran: Ran, steps: CellSteps) -> Examined | None:
    """What INT8 changes, image by image; None where that is not looked at or FP32 runs."""
    node = steps.examined
    if node is None:
        return None
    try:
        if ran.took_fp32(node):
            return None
        return Examined.read(ran.finished.artifact(node).file("examined.json"))
    except FqbenchError as error:
        _log.warning("%s: what INT8 changes is not known: %s", steps.cell.id, error)
        return None


def _without_fallback(ran: Ran, fp32: Points, row: Row, steps: CellSteps) -> Row:
    """The row with what INT8 would lose, had no layer stayed in float for its accuracy."""
    node = steps.without_float
    if node is None:
        return row
    try:
        if not isinstance(node, Select) or ran.finished.option(node) == decisions.SAME:
            return row
        everything = points_of(ran.finished.artifact(node))
    except FqbenchError as error:
        # With every layer in INT8 it may answer nothing: what it would lose is not known then.
        _log.warning("%s: with no layer in float it cannot be evaluated: %s", row.cell.id, error)
        return row
    return replace(row, drop_all_int8=lost(fp32, everything).value)
