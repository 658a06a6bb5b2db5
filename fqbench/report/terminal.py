"""The table in the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fqbench.report.notes import notes
from fqbench.report.table import COLUMNS, lines
from fqbench.results import Results

NUMBERS = frozenset({"FP32 ms", "INT8 ms", "Ratio", "FP32", "INT8", "Drop", "INT8 convs"})
MARGIN = COLUMNS.index("Margin")


def show(results: Results, console: Console) -> None:
    """Print table and notes."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in NUMBERS else "left")
    for line in lines(results.rows):
        texts = [Text(text) for text in line.texts]
        if line.within_margin is not None:
            texts[MARGIN].stylize("green" if line.within_margin else "red")
        table.add_row(*texts)
    console.print(table)
    for note in notes(results):
        console.print(Text(note, style="dim"))
