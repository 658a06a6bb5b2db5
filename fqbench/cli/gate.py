"""``fqbench gate``: whether HEAD is worse than BASE."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from fqbench.errors import UsageError
from fqbench.gate.account import Account
from fqbench.gate.certainty import cautions, machines
from fqbench.gate.comparable import differences
from fqbench.gate.comparison import compare
from fqbench.gate.evidence import Tolerances
from fqbench.gate.stored import read_stored
from fqbench.report import gate as report
from fqbench.report import gate_terminal


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    defaults = Tolerances()
    parser = subparsers.add_parser(
        "gate",
        help="whether anything got worse from BASE to HEAD",
        description="Compare two stored results: results.json (with the samples.json beside it), a"
        " baseline, or the file of pytest --benchmark-json. Exit code: 0 nothing is worse, 1"
        " something is, 2 nothing could be compared.",
    )
    parser.add_argument("results", nargs=2, type=Path, metavar=("BASE.json", "HEAD.json"))
    parser.add_argument(
        "--slowdown",
        type=_percent,
        default=100 * defaults.slowdown,
        metavar="PERCENT",
        help=f"slower by this much is tolerated (default: {100 * defaults.slowdown:g})",
    )
    parser.add_argument(
        "--points",
        type=_percent,
        default=defaults.points,
        metavar="POINTS",
        help=f"so much less accuracy is tolerated (default: {defaults.points:g})",
    )
    parser.add_argument(
        "--anyway",
        action="store_true",
        help="compare stored results of different machines, versions or data too",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write gate.md and gate.json into this folder"
    )


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench gate``: the exit code of the decision."""
    tolerances = Tolerances(slowdown=options.slowdown / 100, points=options.points)
    base, head = options.results
    account = stored(base, head, tolerances, anyway=options.anyway)
    gate_terminal.show(account, Console())
    if options.out is not None:
        for path in report.write(account, options.out):
            errors.print(f"Written: {path}", markup=False, highlight=False, soft_wrap=True)
    return account.decision.exit_code


def stored(base: Path, head: Path, tolerances: Tolerances, *, anyway: bool) -> Account:
    """Compare two files. Raises UsageError where they differ in more than what is measured."""
    sides = read_stored(base), read_stored(head)
    found = differences(*sides)
    if found and not anyway:
        raise UsageError(
            f"{head} was not measured on the same as {base}: {'; '.join(found)}. Measure both"
            " alike, or compare them --anyway"
        )
    account = compare(*sides, tolerances)
    return replace(account, cautions=cautions(*sides, found), machine=machines(*sides))


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100")
    return value
