"""The tables in the terminal: as much of them as its width holds, and never a figure cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fqbench.measure.margin import Standing
from fqbench.report import by_method, comparison, gpu, measures, versions
from fqbench.report.notes import notes
from fqbench.report.plain import plain
from fqbench.report.short import show_all, show_notes
from fqbench.report.summary import summary
from fqbench.report.table import COLUMNS, NOTHING, TO_BEST_FLOAT, Line, lines
from fqbench.results import Results

NUMBERS = frozenset(
    {
        *("FP32 ms", "INT8 ms", "Ratio", TO_BEST_FLOAT, "FP32", "INT8", "Drop"),
        *("Agreement", "INT8 layers"),
    }
)
NARROW = {TO_BEST_FLOAT: "Best\nfloat"}
"""Names of columns in a narrow terminal, where others say them."""
WORDS = frozenset({"Backend", "Method", comparison.NOTE})
"""Columns that may take several lines."""

LEFT_OUT = frozenset({"Device", "Of peak", "Metric", "INT8 layers", "Method", comparison.NOTE})
COMPARED_BY = frozenset(
    {"Model", "Backend", comparison.SIDE, "FP32 ms", "INT8 ms", "Ratio", "Drop"}
)
"""Columns that a narrow terminal does without, and those of the published table that it keeps;
``report.md`` has them all."""


COLOURS: Mapping[Standing, str] = {"inside": "green", "outside": "red", "not known": "yellow"}


@dataclass(frozen=True)
class _Form:
    """How much of a table is shown. ``whole``: every column, values with their intervals."""

    whole: bool
    padding: int


_FORMS = (_Form(True, 1), _Form(True, 0), _Form(False, 0))
"""From the roomiest to the narrowest."""


def show(results: Results, console: Console, *, report: Path, verbose: bool) -> None:
    """Print the tables, then what has to be known to read them; ``verbose``: all that is known.

    ``report``: the file where the rest is.
    """
    _print_lines(lines(results.rows), console)
    if verbose:
        show_all(notes(results), console)
        beside = by_method.lines(results.rows)
        _print_section(by_method.TITLE, by_method.COLUMNS, beside, (by_method.MEANING,), console)
    beside = versions.lines(results.rows)
    meaning = (versions.MEANING,) if verbose else ()
    _print_section(versions.TITLE, versions.COLUMNS, beside, meaning, console)
    _print_measures(results, console, verbose=verbose)
    if not verbose:
        console.print()
        everything = len(notes(results))
        show_notes(summary(results), console, there_are=everything, report=report)
        return
    on_gpu = gpu.lines(results.rows)
    _print_section(gpu.TITLE, gpu.COLUMNS, on_gpu, gpu.notes(results.rows), console)
    compared = comparison.comparison(results.rows)
    if compared:
        console.print("\nPublished and measured\n", style="bold", highlight=False)
        _print_compared(compared, console)
        show_all((comparison.HARDWARE,), console)


def _print_section(
    title: str,
    columns: Sequence[str],
    shown: Sequence[Sequence[str]],
    notes: Sequence[str],
    console: Console,
) -> None:
    """A table of its own, where it has lines."""
    if not shown:
        return
    console.print(f"\n{title}\n", style="bold", highlight=False)
    console.print(_simple(columns, shown))
    show_all(notes, console)


def _simple(
    columns: Sequence[str],
    shown: Sequence[Sequence[str]],
    numbers: frozenset[str] = frozenset(),
    padding: int = 0,
) -> Table:
    """A table of texts; those of ``numbers`` are never cut."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, padding), show_edge=False)
    for name in columns:
        number = name in numbers
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for line in shown:
        table.add_row(*map(plain, line))
    return table


def _print_measures(results: Results, console: Console, *, verbose: bool) -> None:
    """What was measured beside latency: with intervals where all of them have room."""
    pairs = zip(
        measures.sections(results.rows, whole=True),
        measures.sections(results.rows, whole=False),
        strict=True,
    )
    for roomy, short in pairs:
        console.print(f"\n{roomy.title}\n", style="bold", highlight=False)
        table = _simple(roomy.columns, roomy.lines, roomy.numbers, padding=1)
        if not _fits(table, console):
            lines = [tuple(map(_short_name, line)) for line in short.lines]
            table = _simple(short.columns, lines, short.numbers)
        console.print(table)
        if verbose:
            show_all(short.notes, console)


def _short_name(text: str) -> str:
    """A runtime by its first word."""
    return text.removesuffix(" Inference").removesuffix(" Runtime")


def _print_lines(shown: Sequence[Line], console: Console) -> None:
    """One table; in a narrow terminal lines without accuracy have one of their own."""
    for form in _FORMS[:-1]:
        table = _main(shown, form)
        if _fits(table, console):
            console.print(table)
            return
    with_accuracy = [line for line in shown if line.needs is None]
    without = [line for line in shown if line.needs is not None]
    for number, part in enumerate(filter(None, (with_accuracy, without))):
        if number:
            console.print()
        console.print(_main(part, _FORMS[-1]))


def _print_compared(shown: Sequence[comparison.Line], console: Console) -> None:
    for form in _FORMS[:-1]:
        table = _compared(shown, form)
        if _fits(table, console):
            console.print(table)
            return
    console.print(_compared(shown, _FORMS[-1]))
    show_all(comparison.remarks(shown), console)


def _fits(table: Table, console: Console) -> bool:
    unlimited = console.options.update(max_width=10_000)
    return console.measure(table, options=unlimited).maximum <= console.width


def _main(shown: Sequence[Line], form: _Form) -> Table:
    rows = [_without_needs(line, form) for line in shown]
    table, columns = _table(COLUMNS, rows, form)
    for line, texts in zip(shown, rows, strict=True):
        cells = _cells(texts, columns, form)
        if line.against_margin is not None and "Margin" in cells:
            cells["Margin"].stylize(COLOURS[line.against_margin])
        table.add_row(*cells.values())
    return table


def _compared(shown: Sequence[comparison.Line], form: _Form) -> Table:
    rows = [dict(zip(comparison.COLUMNS, line.texts, strict=True)) for line in shown]
    names: Sequence[str] = comparison.COLUMNS
    if not form.whole:
        names = [name for name in names if name in COMPARED_BY]
    table, columns = _table(names, rows, form)
    for line, texts in zip(shown, rows, strict=True):
        cells = _cells(texts, columns, form)
        if not line.opens:
            for name in ("Model", "Backend", "Device"):
                if name in cells:
                    cells[name] = Text("")
        table.add_row(*cells.values(), style="dim" if line.opens else None)
    return table


def _table(
    columns: Sequence[str], rows: Sequence[Mapping[str, str]], form: _Form
) -> tuple[Table, list[str]]:
    """An empty table, and its columns: in a narrow one none that says nothing."""
    shown = [name for name in columns if any(row[name] not in (NOTHING, "") for row in rows)]
    kept = list(columns) if form.whole else [name for name in shown if name not in LEFT_OUT]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, form.padding), show_edge=False)
    for name in kept:
        table.add_column(
            name if form.whole else NARROW.get(name, name),
            justify="right" if name in NUMBERS else "left",
            no_wrap=name not in WORDS,
            max_width=_NOTE_WIDTH if name == comparison.NOTE else None,
        )
    return table, kept


_NOTE_WIDTH = 36
"""Characters a line of what a published row is noted with: as a column it would be the widest."""


def _cells(texts: Mapping[str, str], columns: Sequence[str], form: _Form) -> dict[str, Text]:
    cells = {name: plain(texts[name] if form.whole else _short(texts[name])) for name in columns}
    if not form.whole and texts["Device"] != "CPU":
        cells["Backend"].append(f" {texts['Device']}")
    return cells


def _without_needs(line: Line, form: _Form) -> dict[str, str]:
    """What accuracy needs stands in the notes: a column of it would push all others out."""
    texts = dict(zip(COLUMNS, line.texts, strict=True))
    if line.needs is not None:
        texts.update({"FP32": NOTHING, "INT8": NOTHING})
    if form.whole:
        return texts
    model, mark, _ = texts["Model"].partition(" (synthetic)")
    # There is no room for the method, which distinguishes rows of the same cell.
    texts["Model"] = f"  {line.maker}" if line.maker else f"{model}{'*' if mark else ''}"
    return texts


def _short(text: str) -> str:
    """A value without its interval, a runtime by its first word."""
    return text.partition(" (")[0].removesuffix(" Inference").removesuffix(" Runtime")
