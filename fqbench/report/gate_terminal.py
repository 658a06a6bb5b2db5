"""The gate's verdict in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from fqbench.gate.verdict import GateReport, Verdict
from fqbench.report.gate import COLUMNS, NUMBERS, explained, headline, ordered, quiet_line, texts
from fqbench.report.ids import print_by_id
from fqbench.report.short import show_all, show_notes
from fqbench.report.table import NOTHING

MOST_NAMES = 8
"""As many cells that did not change are named."""


def show(report: GateReport, console: Console, *, verbose: bool, file: Path | None = None) -> None:
    """Print what changed, why, how sure that is, and the headline.

    ``verbose``: all that is to be said; ``file``: where that is written, too.
    """
    shown, quiet = ordered(report.decision)
    worse = any(verdict.regressed for verdict in shown)
    style = "bold red" if worse else "bold yellow" if report.decision.exit_code else "bold green"
    if shown:
        _print(shown, console)
        console.print()
    told = [f"{', '.join(about)}: {reason}" for reason, about in explained(shown).items()]
    if quiet:
        names = f": {', '.join(v.cell for v in quiet)}" if len(quiet) <= MOST_NAMES else ""
        told.append(f"{quiet_line(quiet)}{names}")
    # A caution is about every cell.
    notes = (*report.cautions, *told, *report.certainty)
    if verbose:
        show_all(notes, console)
    else:
        show_notes(notes, console, there_are=len(notes), report=file)
    console.print(Text(headline(report.decision), style=style))


def _print(shown: Sequence[Verdict], console: Console) -> None:
    """The table, with intervals where there is room for them, without columns that say nothing."""
    whole = [texts(verdict) for verdict in shown]
    short = [(row[0], *(text.partition(" (")[0] for text in row[1:])) for row in whole]
    rows, idle = (whole, (NOTHING,)) if _have_room(whole, console) else (short, (NOTHING, "0.00"))
    kept = [i for i in range(len(COLUMNS)) if any(row[i] not in idle for row in rows)]
    cells = [[Text(row[i]) for i in kept] for row in rows]
    for verdict, row in zip(shown, cells, strict=True):
        row[-1].stylize("red" if verdict.regressed else "green" if _better(verdict) else "")
    names = [COLUMNS[i] for i in kept]
    print_by_id(
        names, cells, console, numbers=NUMBERS, texts=names[-1:], padding=int(rows is whole)
    )


def _have_room(rows: Sequence[Sequence[str]], console: Console) -> bool:
    widths = (max(map(len, texts)) for texts in zip(COLUMNS, *rows, strict=True))
    return sum(width + 3 for width in widths) <= console.width


def _better(verdict: Verdict) -> bool:
    return verdict.status in ("faster", "less memory")
