"""The gate's verdict in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fqbench.gate.verdict import GateReport, Verdict
from fqbench.report.gate import COLUMNS, NUMBERS, explained, headline, ordered, quiet_line, texts
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
        console.print(_fitting(shown, console))
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


def _fitting(shown: Sequence[Verdict], console: Console) -> Table:
    """The table, with intervals where there is room for them."""
    whole = _table(shown, whole=True)
    unlimited = console.options.update(max_width=10_000)
    if console.measure(whole, options=unlimited).maximum <= console.width:
        return whole
    return _table(shown, whole=False)


def _table(shown: Sequence[Verdict], *, whole: bool) -> Table:
    """Without empty columns, which would take room from the cells' names."""
    rows = [texts(verdict) for verdict in shown]
    if not whole:
        rows = [(row[0], *(text.partition(" (")[0] for text in row[1:])) for row in rows]
    idle = (NOTHING,) if whole else (NOTHING, "0.00")
    kept = [i for i in range(len(COLUMNS)) if any(row[i] not in idle for row in rows)]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, int(whole)), show_edge=False)
    for name in (COLUMNS[i] for i in kept):
        is_number = name in NUMBERS
        table.add_column(
            name, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold"
        )
    for verdict, row in zip(shown, rows, strict=True):
        cells = [Text(row[i]) for i in kept]
        cells[-1].stylize("red" if verdict.regressed else "green" if _better(verdict) else "")
        table.add_row(*cells)
    return table


def _better(verdict: Verdict) -> bool:
    return verdict.status in ("faster", "less memory")
