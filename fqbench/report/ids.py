"""Tables of cells in the terminal: an id is never broken, however narrow the terminal is.

The texts that may take several lines give way first. Where that does not help, each cell takes two
lines: its id, and what is said of it::

                            Base ms  Head ms  Change
    net-paddle-cpu-int8        2.00     2.24  +12.0 %

    Base ms  Head ms  Change
    net-paddle-cpu-int8
       2.00     2.24  +12.0 %
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

LEAST_WIDTH = 16
"""Characters a line of a text that takes several: with less it is a column of single words."""


def print_by_id(
    columns: Sequence[str],
    rows: Sequence[Sequence[Text]],
    console: Console,
    *,
    numbers: Collection[str] = (),
    texts: Collection[str] = (),
    padding: int = 1,
) -> None:
    """Print a table whose first column holds ids, each whole on a line.

    ``numbers``: columns to the right; ``texts``: those that may take several lines. ``padding``:
    spaces to either side of a column.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, padding), show_edge=False)
    for i, name in enumerate(columns):
        widest = max([len(name), *(row[i].cell_len for row in rows)])
        wraps = name in texts
        table.add_column(
            name,
            justify="right" if name in numbers else "left",
            no_wrap=not wraps,
            overflow="fold",
            min_width=min(widest, LEAST_WIDTH) if wraps else widest,
        )
    for row in rows:
        table.add_row(*row)
    unlimited = console.options.update(max_width=10_000)
    if console.measure(table, options=unlimited).minimum <= console.width:
        console.print(table)
        return
    _print_in_two_lines(columns, rows, console, numbers)


def _print_in_two_lines(
    columns: Sequence[str],
    rows: Sequence[Sequence[Text]],
    console: Console,
    numbers: Collection[str],
) -> None:
    head = [Text(name, style="bold") for name in columns]
    widths = [max(row[i].cell_len for row in (head, *rows)) for i in range(len(columns))]
    console.print(_second_line(columns, head, widths, numbers))
    for row in rows:
        # A terminal breaks what is longer than its line, and copies it in one piece.
        console.print(row[0], soft_wrap=True)
        console.print(_second_line(columns, row, widths, numbers))


def _second_line(
    columns: Sequence[str], row: Sequence[Text], widths: Sequence[int], numbers: Collection[str]
) -> Text:
    parts = []
    for i in range(1, len(columns)):
        text = row[i].copy()
        last = i == len(columns) - 1
        if columns[i] in numbers:
            text.align("right", widths[i])
        elif not last:
            text.align("left", widths[i])
        parts.append(text)
    return Text("  ").append_text(Text("  ").join(parts))
