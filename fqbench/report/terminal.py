"""The tables in the terminal: all columns where they fit, else those that decide."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fqbench.report import comparison
from fqbench.report.notes import notes
from fqbench.report.table import COLUMNS, NOTHING, Line, lines
from fqbench.results import Results

NUMBERS = frozenset(
    {"FP32 ms", "INT8 ms", "Ratio", "FP32", "INT8", "Drop", "Agreement", "INT8 convs"}
)
LEFT_OUT = frozenset({"Device", "Metric", "INT8 convs", "Method", comparison.NOTE})
COMPARED_BY = frozenset(
    {"Model", "Backend", comparison.SIDE, "FP32 ms", "INT8 ms", "Ratio", "Drop"}
)
"""Columns that a narrow terminal does without, and those of the published table that it keeps;
``report.md`` has them all."""

WIDE = 200
"""Characters that all columns need with intervals."""


def show(results: Results, console: Console) -> None:
    """Print tables and notes."""
    wide = console.width >= WIDE
    console.print(_main(lines(results.rows), wide))
    for note in notes(results):
        console.print(Text(note, style="dim"))
    compared = comparison.comparison(results.rows)
    if compared:
        console.print("\nPublished and measured\n", style="bold", highlight=False)
        console.print(_compared(compared, wide))
        console.print(Text(comparison.HARDWARE, style="dim"))


def _main(shown: Sequence[Line], wide: bool) -> Table:
    rows = [_without_needs(line, wide) for line in shown]
    table, columns = _table(COLUMNS, rows, wide)
    for line, texts in zip(shown, rows, strict=True):
        cells = _cells(texts, columns, wide)
        if line.within_margin is not None and "Margin" in cells:
            cells["Margin"].stylize("green" if line.within_margin else "red")
        table.add_row(*cells.values())
    return table


def _compared(shown: Sequence[comparison.Line], wide: bool) -> Table:
    rows = [dict(zip(comparison.COLUMNS, line.texts, strict=True)) for line in shown]
    told = comparison.COLUMNS if wide else [c for c in comparison.COLUMNS if c in COMPARED_BY]
    table, columns = _table(told, rows, wide)
    for line, texts in zip(shown, rows, strict=True):
        cells = _cells(texts, columns, wide)
        if not line.opens:
            for name in ("Model", "Backend", "Device"):
                if name in cells:
                    cells[name] = Text("")
        table.add_row(*cells.values(), style="dim" if line.opens else None)
    return table


def _table(
    columns: Sequence[str], rows: Sequence[dict[str, str]], wide: bool
) -> tuple[Table, list[str]]:
    """An empty table, and its columns: in a narrow one none that says nothing."""
    told = [name for name in columns if any(row[name] not in (NOTHING, "") for row in rows)]
    kept = list(columns) if wide else [name for name in told if name not in LEFT_OUT]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1 if wide else 0), show_edge=False)
    for name in kept:
        table.add_column(
            name,
            justify="right" if name in NUMBERS else "left",
            no_wrap=name != comparison.NOTE,
        )
    return table, kept


def _cells(texts: dict[str, str], columns: Sequence[str], wide: bool) -> dict[str, Text]:
    cells = {name: Text(texts[name] if wide else _short(texts[name])) for name in columns}
    if not wide and texts["Device"] != "CPU":
        cells["Backend"].append(f" {texts['Device']}")
    return cells


def _without_needs(line: Line, wide: bool) -> dict[str, str]:
    """What accuracy needs stands in the notes: a column of it would push all others out."""
    texts = dict(zip(COLUMNS, line.texts, strict=True))
    if line.needs is not None:
        texts.update({"FP32": NOTHING, "INT8": NOTHING})
    if not wide and line.texts[0].endswith(" (synthetic)"):
        texts["Model"] = f"{texts['Model'].partition(' (')[0]}*"
    return texts


def _short(text: str) -> str:
    """A value without its interval, a runtime by its first word."""
    return text.partition(" (")[0].removesuffix(" Inference").removesuffix(" Runtime")
