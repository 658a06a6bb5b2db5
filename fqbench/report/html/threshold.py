"""What INT8 does to decisions at a fixed threshold, as the report shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fqbench.examine.record import Changes
from fqbench.report.html.broken import is_examined
from fqbench.report.html.datatable import DataTable, table
from fqbench.report.table import NOTHING
from fqbench.results import Row
from fqbench.tasks.examination import OperatingPoint

FLIPS = (
    "Cell",
    "Operating point",
    "Decisions",
    "FP32's",
    "Kept",
    "Lost",
    "Right of these",
    "Gained",
    "Right of those",
)
MOVED = ("Cell", "Compared", "Mean", "Mean of absolute values", "Worst", "In image")


@dataclass(frozen=True)
class ThresholdView:
    """The section. ``moved`` is empty where no answers have scores."""

    flips: DataTable
    moved: DataTable


def view(rows: Sequence[Row]) -> ThresholdView | None:
    """The section on the INT8 cells that were looked at; None where there is none."""
    known = [
        (row.cell.id, row.changes) for row in rows if is_examined(row) and row.changes is not None
    ]
    flips = [line for cell, changes in known for line in _flips(cell, changes)]
    moved = [line for cell, changes in known for line in _moved(cell, changes)]
    if not flips:
        return None
    return ThresholdView(
        table("Decisions of FP32 and of INT8", FLIPS, flips),
        table("Scores of what both found, INT8's less FP32's", MOVED, moved),
    )


def _flips(cell: str, changes: Changes) -> Iterator[tuple[str, ...]]:
    for point in changes.points:
        yield (
            cell,
            point.name,
            changes.unit,
            str(point.kept + point.lost),
            _share(point.kept, point),
            _share(point.lost, point),
            _count(point.lost_right),
            _share(point.gained, point),
            _count(point.gained_right),
        )


def _moved(cell: str, changes: Changes) -> Iterator[tuple[str, ...]]:
    shift = changes.shift
    if shift is not None:
        before, after = shift.worst
        yield (
            cell,
            str(shift.pairs),
            f"{round(shift.mean, 3) + 0.0:+.3f}",
            f"{shift.mean_absolute:.3f}",
            f"{before:.2f} → {after:.2f}",
            changes.shift_image or NOTHING,
        )


def _share(count: int, point: OperatingPoint) -> str:
    """``12 (3.4 %)`` of FP32's decisions."""
    of = point.kept + point.lost
    return f"{count} ({100 * count / of:.1f} %)" if of else str(count)


def _count(count: int | None) -> str:
    return NOTHING if count is None else str(count)
