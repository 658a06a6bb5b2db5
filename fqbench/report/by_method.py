"""Methods beside each other: what each makes of the same model for the same backend."""

from __future__ import annotations

from collections.abc import Sequence

from fqbench.backends import label_of
from fqbench.cells import Cell
from fqbench.precisions import label_of as precision_label
from fqbench.report.table import NOTHING, TO_BEST_FLOAT, interval, is_shown, method_label
from fqbench.results import Row

TITLE = "Methods beside each other"
COLUMNS = (
    "Model",
    "Backend",
    "Device",
    "Method",
    "Made in",
    "MB",
    "ms",
    "Times as fast",
    TO_BEST_FLOAT,
    "Accuracy",
    "Points less",
    "INT8 layers",
)
MEANING = (
    "Methods had the same calibration images and preprocessing; what they made was timed in turns."
    " Times as fast and points less are against FP32 on the same backend, the ratio to best float"
    " against the fastest float of any backend. In brackets: 95 % confidence intervals; points less"
    " from a paired bootstrap over the same images."
)


def lines(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    """FP32, and one line per method, of each cell that several methods made."""
    shown = tuple(filter(is_shown, rows))
    places = {_place(row.cell) for row in shown if row.cell.method is not None}
    return tuple(_line(row) for row in shown if _place(row.cell) in places)


def _place(cell: Cell) -> tuple[str, str, str]:
    return cell.model, cell.backend, cell.device


def _line(row: Row) -> tuple[str, ...]:
    cell = row.cell
    name = cell.method or row.method
    return (
        cell.model,
        label_of(cell.backend),
        cell.device.upper(),
        precision_label(cell.precision) if name is None else method_label(name),
        NOTHING if row.quantize_s is None else f"{row.quantize_s:.0f} s",
        NOTHING if row.size_mb is None else f"{row.size_mb:.2f}",
        row.status if row.latency is None else f"{row.latency.p50.value:.2f}",
        interval(row.ratio),
        interval(row.best_float.ratio if row.best_float is not None else None),
        NOTHING if row.accuracy is None else f"{row.accuracy:.2f}",
        interval(row.drop),
        NOTHING if row.int8_convolutions is None else f"{row.int8_convolutions}",
    )
