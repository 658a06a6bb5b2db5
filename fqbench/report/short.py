"""Few notes instead of all: as many of the first ones as ten lines of the terminal hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from fqbench.counting import counted
from fqbench.report.plain import plain

MOST_LINES = 10
"""Lines of the terminal that notes take where not all of them are asked for."""


def show_notes(
    notes: Sequence[str], console: Console, *, there_are: int, report: Path | None = None
) -> None:
    """Print those of ``notes`` that have room, the most important of which come first.

    Then where all are that ``there_are``: in ``report``, where there is such a file.
    """
    where = "--verbose" if report is None else f"{report}, or --verbose"
    last = f"{counted(there_are, 'note')} in all: {where}."
    left = MOST_LINES - _height(last, console)
    shown = 0
    for note in notes:
        height = _height(note, console)
        if height <= left:
            left, shown = left - height, shown + 1
            console.print(plain(note))
    if shown < there_are:
        console.print(plain(last), style="dim")


def show_all(notes: Sequence[str], console: Console) -> None:
    """Print all of ``notes``."""
    for note in notes:
        console.print(plain(note), style="dim")


def _height(note: str, console: Console) -> int:
    return len(plain(note).wrap(console, console.width))
