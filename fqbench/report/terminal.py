"""The table in the terminal: all columns where they fit, else those that decide."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fqbench.report.notes import notes
from fqbench.report.table import COLUMNS, lines
from fqbench.results import Results

NUMBERS = frozenset({"FP32 ms", "INT8 ms", "Ratio", "FP32", "INT8", "Drop", "INT8 convs"})
LEFT_OUT = frozenset({"Device", "Metric", "INT8 convs", "Method"})
"""Columns that a narrow terminal does without; ``report.md`` has them all."""

WIDE = 190
"""Characters that all columns need with intervals."""


def show(results: Results, console: Console) -> None:
    """Print table and notes."""
    wide = console.width >= WIDE
    columns = [name for name in COLUMNS if wide or name not in LEFT_OUT]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1 if wide else 0), show_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=True)
    for line in lines(results.rows):
        texts = dict(zip(COLUMNS, line.texts, strict=True))
        cells = {name: Text(texts[name] if wide else _short(texts[name])) for name in columns}
        if not wide and texts["Device"] != "CPU":
            cells["Backend"].append(f" {texts['Device']}")
        if line.within_margin is not None:
            cells["Margin"].stylize("green" if line.within_margin else "red")
        table.add_row(*cells.values())
    console.print(table)
    for note in notes(results):
        console.print(Text(note, style="dim"))


def _short(text: str) -> str:
    """A value without its interval, a runtime by its first word."""
    return text.partition(" (")[0].removesuffix(" Inference").removesuffix(" Runtime")
