"""Where inferences on a GPU spend their time."""

from __future__ import annotations

from collections.abc import Sequence

from fqbench.report.table import BACKENDS
from fqbench.results import Row

TITLE = "Time on the GPU"
COLUMNS = (
    "Model",
    "Backend",
    "Precision",
    "Batch",
    "Host to device ms",
    "Compute ms",
    "Device to host ms",
    "Sum ms",
    "Images a second",
)
MEANING = (
    "Medians by events on the GPU, as trtexec reports them; a sum is that of its parts. The"
    " latencies above are the host's, from the image in its memory to the outputs in its memory:"
    " what they hold beyond the sum is the host's own work. Images a second are those of the sum."
)


def split(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    """One line a cell whose parts are known."""
    return tuple(_line(row) for row in rows if row.split is not None)


def without_graph(rows: Sequence[Row]) -> tuple[str, ...]:
    """Cells whose kernels were launched one by one, in sentences."""
    return tuple(
        f"{row.cell.id}: its kernels were launched one by one, not as a CUDA graph: {row.no_graph}."
        for row in rows
        if row.no_graph is not None
    )


def _line(row: Row) -> tuple[str, ...]:
    parts = row.split
    assert parts is not None
    figures = (parts.host_to_device, parts.compute, parts.device_to_host, parts.total)
    return (
        row.cell.model,
        BACKENDS[row.cell.backend],
        row.cell.precision.upper(),
        str(row.batch),
        *(f"{figure:.3f}" for figure in figures),
        f"{1000 * row.batch / parts.total:.0f}",
    )
