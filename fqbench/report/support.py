"""Which backend runs what on which hardware, here."""

from __future__ import annotations

from fqbench.backends import backends
from fqbench.cells import DEVICES, Cell
from fqbench.precisions import label_of, precisions


def columns() -> tuple[str, ...]:
    """The hardware, and each backend."""
    return ("Hardware", *(known.label for known in backends().values()))


def support() -> tuple[tuple[str, ...], ...]:
    """For each device and backend the precisions that run on this machine, or why none does."""
    return tuple((device.upper(), *(_cell(b, device) for b in backends())) for device in DEVICES)


def _cell(backend: str, device: str) -> str:
    # What a backend runs is the same for every model.
    cells = [Cell("any", backend, device, p) for p in precisions()]  # type: ignore[arg-type]
    runs = [label_of(cell.precision) for cell in cells if cell.unsupported is None]
    return ", ".join(runs) or f"no: {cells[0].unsupported}"
