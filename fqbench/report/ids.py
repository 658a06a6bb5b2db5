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
from rich.console import Console, JustifyMethod
from rich.padding import Padding
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
    _print_in_two_lines(columns, rows, console, numbers, texts)


def _print_in_two_lines(
    columns: Sequence[str],
    rows: Sequence[Sequence[Text]],
    console: Console,
    numbers: Collection[str],
    texts: Collection[str],
) -> None:
    head = [Text(name, style="bold") for name in columns]
    widths = _widths(columns[1:], [row[1:] for row in (head, *rows)], console.width - 2, texts)
    for row in (head, *rows):
        if row is not head:
            # A terminal breaks what is longer than its line, and copies it in one piece.
            console.print(row[0], soft_wrap=True)
        line = Table.grid(padding=(0, 2, 0, 0))
        for name, width in zip(columns[1:], widths, strict=True):
            justify: JustifyMethod = "right" if name in numbers else "left"
            # Where all is too wide, figures are cut only when nothing is left of texts.
            fixed = None if name in texts else width
            line.add_column(width=fixed, max_width=width, justify=justify, overflow="fold")
        line.add_row(*row[1:])
        console.print(Padding(line, (0, 0, 0, 2), expand=False))


def _widths(
    columns: Sequence[str], rows: Sequence[Sequence[Text]], room: int, texts: Collection[str]
) -> list[int]:
    """Of each column; ``texts`` share what the others leave of ``room``."""
    widths = [max(row[i].cell_len for row in rows) for i in range(len(columns))]
    wrapping = sorted(
        (i for i in range(len(columns)) if columns[i] in texts), key=widths.__getitem__
    )
    left = room - 2 * len(columns) - sum(widths) + sum(widths[i] for i in wrapping)
    for place, i in enumerate(wrapping):
        widths[i] = min(widths[i], max(left // (len(wrapping) - place), LEAST_WIDTH))
        left -= widths[i]
    return widths
