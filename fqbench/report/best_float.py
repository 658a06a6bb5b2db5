"""Which float is the fastest, of any backend: what INT8 has to be faster than."""

from __future__ import annotations

from collections.abc import Sequence

from fqbench.backends import label_of
from fqbench.cells import Cell
from fqbench.precisions import label_of as label_of_precision
from fqbench.report.table import is_best_float
from fqbench.results import Row


def label(cell: Cell) -> str:
    """What reports call a float cell: its backend and precision."""
    return f"{label_of(cell.backend)} {label_of_precision(cell.precision)}"


def sentences(rows: Sequence[Row]) -> tuple[str, ...]:
    """What the ratio to it means, and which it is of each model and device; none where unknown."""
    found = ", ".join(
        f"{row.cell.model} on the {row.cell.device.upper()} {label(row.cell)}"
        f" ({row.latency.p50.value:.2f} ms)"
        for row in rows
        if is_best_float(row) and row.latency is not None
    )
    if not found:
        return ()
    return (
        "Ratio to best float (where space is short: best float) is the time of the fastest float of"
        f" a model, of any backend and precision here, over that of the cell. It is: {found}.",
    )
