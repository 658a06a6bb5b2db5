"""The page of what ``fqbench compress`` made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fqbench.fileio import write_text
from fqbench.report.html.datatable import DataTable
from fqbench.report.html.render import FILE, render


@dataclass(frozen=True)
class CompressPage:
    """``made``: the models, one a line; ``in_float``: of each backend, its layers with why."""

    title: str
    subtitle: str
    made: DataTable
    notes: tuple[str, ...]
    in_float: Sequence[DataTable]
    settings: DataTable
    reading: str


def write(page: CompressPage, folder: Path) -> Path:
    """Write ``report.html`` into ``folder``, all of it or nothing; return its path."""
    return write_text(folder / FILE, render("compress.html.j2", page))
