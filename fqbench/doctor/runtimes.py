"""Which runtimes run here, in which precisions, and why not where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from fqbench.backends import backend
from fqbench.cells import Cell, Device, matrix
from fqbench.precisions import baseline

_ANY = "model"
"""Support depends on no model, but a cell has one."""


@dataclass(frozen=True)
class Support:
    """What runs of a backend on a device.

    ``precisions``: those that run, by name. ``reasons``: why others do not, by name; a reason says
    what to do where something can be done.
    """

    backend: str
    device: Device
    precisions: tuple[str, ...]
    reasons: Mapping[str, str]

    @property
    def reason(self) -> str:
        """Why not even FP32 runs; empty where it does."""
        return self.reasons.get(baseline().name, "")

    @property
    def label(self) -> str:
        """What reports call the backend."""
        return backend(self.backend).label


def supports() -> tuple[Support, ...]:
    """Of every backend on every device, in the order of the matrix."""
    cells = groupby(matrix([_ANY]), key=lambda cell: (cell.backend, cell.device))
    return tuple(_support(list(each)) for _, each in cells)


def _support(cells: list[Cell]) -> Support:
    found = {cell.precision: cell.unsupported for cell in cells}
    return Support(
        cells[0].backend,
        cells[0].device,
        tuple(name for name, reason in found.items() if reason is None),
        {name: reason for name, reason in found.items() if reason is not None},
    )
