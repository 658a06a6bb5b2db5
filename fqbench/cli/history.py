"""``fqbench history``: what was measured, from run to run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from fqbench.cli.options import positive
from fqbench.cli.output import add_json, print_json, say
from fqbench.errors import UsageError
from fqbench.history import database
from fqbench.history.reader import Reader, opened
from fqbench.history.timeline import Timeline, timeline
from fqbench.report import history as report

SCHEMA = 1
"""Of what ``--json`` prints."""

DONE = 0
COMPARE = "compare"
RUNS, ROWS = 20, 100
"""How many are shown where nothing is said."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes, and what it does."""
    parser.description = (
        "What was measured, from run to run: without arguments the last runs; with a CELL, such as"
        " yolov5s-onnxruntime-cpu-int8 or 'yolov5s-*', its times and accuracy by run, with"
        " changes marked; with compare and two numbers of runs, the second against the first."
        " Machines are never mixed."
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="CELL | compare RUN RUN",
        help="see above; * stands for anything",
    )
    parser.add_argument(
        "--last",
        type=positive,
        metavar="N",
        help=f"how many runs to show (default: {RUNS}, of a cell {ROWS})",
    )
    shown = parser.add_mutually_exclusive_group()
    add_json(shown)
    shown.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page of these cells, or of all"
    )


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench history``: 0 shown; of two runs the exit code of the gate's decision."""
    folder = database.default_folder()
    if not database.exists(folder):
        raise UsageError(f"there is no history in {folder} yet: 'fqbench run' begins one")
    with opened(folder) as reader:
        if options.words[:1] == [COMPARE]:
            return _compare(reader, options)
        if options.html is not None:
            return _page(reader, options, errors)
        if options.words:
            return _cells(reader, options)
        return _runs(reader, options)


def _runs(reader: Reader, options: argparse.Namespace) -> int:
    runs, size = reader.recent(options.last or RUNS), reader.size()
    if options.json:
        listed = [each.to_json() for each in runs]
        print_json({"schema": SCHEMA, "runs": listed, "size": asdict(size)})
    else:
        report.show_runs(runs, size, str(reader.path), Console())
    return DONE


def _cells(reader: Reader, options: argparse.Namespace) -> int:
    found = timelines(reader, options.words, options.last or ROWS)
    if options.json:
        print_json({"schema": SCHEMA, "series": [each.to_json() for each in found]})
        return DONE
    console = Console()
    if len({each.series.place.cell for each in found}) > 1:
        report.show_latest(found, console)
    else:
        for each in found:
            report.show_timeline(each, console)
    return DONE


def timelines(reader: Reader, patterns: Sequence[str], last: int) -> list[Timeline]:
    """The series of all cells that match. Raises UsageError for a pattern that none does."""
    found = []
    for pattern in patterns:
        series = reader.series(pattern, last)
        if not series:
            known = reader.cells()
            near = [name for name in known if pattern.strip("*") in name] or known
            raise UsageError(
                f"no cell in the history is called {pattern!r}: known are"
                f" {', '.join(near[:MOST_NAMES])}{', ...' if len(near) > MOST_NAMES else ''}"
            )
        found += [timeline(each) for each in series if each.rows]
    return found


MOST_NAMES = 8


def _page(reader: Reader, options: argparse.Namespace, errors: Console) -> int:
    # Plots take longer to import than the history to read.
    from fqbench.report.html import history as html

    found = timelines(reader, options.words or ["*"], options.last or ROWS)
    shown = html.page(found, reader.recent(RUNS), reader.size(), str(reader.path))
    path = html.write(shown, options.html)
    say(errors, f"Written: {path}")
    return DONE


def _compare(reader: Reader, options: argparse.Namespace) -> int:
    numbers = options.words[1:]
    if options.html is not None:
        raise UsageError(f"--html is of no use with {COMPARE}: leave it out, or take --json")
    if len(numbers) != 2 or not all(word.isdecimal() for word in numbers):
        raise UsageError(
            f"{COMPARE} {' '.join(numbers)}: expected the numbers of two runs, as"
            " 'fqbench history' lists them"
        )
    # The gate takes longer to import than the history to read.
    from fqbench.history.comparison import compare_runs
    from fqbench.report import gate_terminal

    found = compare_runs(reader, int(numbers[0]), int(numbers[1]))
    if options.json:
        print_json(found.to_json())
    else:
        gate_terminal.show(found, Console(), verbose=True)
    return found.decision.exit_code
