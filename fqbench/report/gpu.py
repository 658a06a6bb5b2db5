"""Where inferences on a GPU spend their time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fqbench.backends import label_of
from fqbench.backends.nvidia import Conditions
from fqbench.measure.gpu_breakdown import GpuBreakdown
from fqbench.precisions import label_of as precision_label
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
    "Medians by events on the GPU, as trtexec reports them; a sum is that of its parts, each of"
    " which holds the host's queueing where that is slower than the GPU. The latencies above are"
    " the host's, from the image in its memory to the outputs in its memory: they also hold its own"
    " copies and its waiting. Images a second are those of the sum."
)


def lines(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    """One line per cell whose parts are known."""
    return tuple(_line(row, row.gpu) for row in rows if row.gpu is not None)


def notes(rows: Sequence[Row]) -> tuple[str, ...]:
    """What the figures mean, the GPU's clock meanwhile, and cells without a CUDA graph."""
    known = [(row, row.gpu) for row in rows if row.gpu is not None]
    return (
        MEANING,
        *_conditions([gpu.conditions for _, gpu in known if gpu.conditions is not None]),
        *(
            f"{row.cell.id}: its kernels were launched one by one, not as a CUDA graph:"
            f" {gpu.no_graph}."
            for row, gpu in known
            if gpu.no_graph is not None
        ),
    )


def _conditions(found: Sequence[Conditions]) -> Iterator[str]:
    clocks = [each.sm_mhz for each in found if each.sm_mhz is not None]
    if clocks:
        highest = max((each.sm_max_mhz or 0 for each in found), default=0)
        of = f" of {highest}" if highest else ""
        yield f"Behind them the GPU's clock was {min(clocks)} to {max(clocks)}{of} MHz."
    slowed = dict.fromkeys(reason for each in found for reason in each.slowed)
    if slowed:
        yield f"It was slowed by: {', '.join(slowed)}."


def _line(row: Row, gpu: GpuBreakdown) -> tuple[str, ...]:
    parts = gpu.split
    figures = (parts.host_to_device, parts.compute, parts.device_to_host, parts.total)
    return (
        row.cell.model,
        label_of(row.cell.backend),
        precision_label(row.cell.precision),
        str(row.batch),
        *(f"{figure:.3f}" for figure in figures),
        f"{1000 * row.batch / parts.total:.0f}",
    )
