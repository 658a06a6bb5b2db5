"""``fqbench gate``: whether HEAD is worse than BASE."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from fqbench.artifacts import default_root
from fqbench.cli import commands, gate_selftest
from fqbench.cli.selection import add_making, add_selection, matrix_of, positive
from fqbench.errors import UsageError
from fqbench.gate.account import Account
from fqbench.gate.certainty import cautions, machines
from fqbench.gate.comparable import differences
from fqbench.gate.comparison import compare
from fqbench.gate.contest import Terms
from fqbench.gate.evidence import Tolerances
from fqbench.gate.stored import read_stored
from fqbench.gate.versions import Version, compare_versions
from fqbench.report import gate as report
from fqbench.report import gate_terminal


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    defaults = Tolerances()
    parser = subparsers.add_parser(
        "gate",
        help="whether anything got worse from BASE to HEAD",
        description="With --base: check out two versions of this repository, build their models and"
        " time them in turns. With two files: compare stored results: results.json (with the"
        " samples.json beside it), a baseline, or the file of pytest --benchmark-json. Exit code:"
        " 0 nothing is worse, 1 something is, 2 nothing could be compared.",
    )
    parser.add_argument(
        "results", nargs="*", type=Path, metavar="RESULTS.json", help="BASE.json HEAD.json"
    )
    versions = parser.add_argument_group("versions of this repository")
    versions.add_argument("--base", metavar="REF", help="what HEAD is compared with")
    versions.add_argument(
        "--head", default="HEAD", metavar="REF", help="what may be worse (default: HEAD)"
    )
    versions.add_argument(
        "--install",
        metavar="ARGUMENTS",
        help="what pip installs in each version's folder, into an environment of its own:"
        " '-r requirements.txt' or '-c constraints.txt .' (default: this environment, with the"
        " version's own fqbench where it holds one)",
    )
    for side in ("base", "head"):
        versions.add_argument(
            f"--{side}-python",
            type=Path,
            metavar="FILE",
            help=f"the Python of an environment that is there, for {side.upper()}",
        )
    versions.add_argument(
        "--seconds",
        type=_seconds,
        default=Terms().seconds,
        metavar="S",
        help=f"for timing a cell, at most (default: {Terms().seconds:g})",
    )
    trial = parser.add_argument_group("the gate tried on itself")
    trial.add_argument(
        "--self-test",
        action="store_true",
        help="count false alarms on identical code, and how often slow-downs are found",
    )
    trial.add_argument(
        "--suites", type=positive, default=8, metavar="N", help="to measure (default: 8)"
    )
    trial.add_argument(
        "--repetitions",
        type=positive,
        default=400,
        metavar="N",
        help="of each slow-down, replayed from what was measured (default: 400)",
    )
    trial.add_argument(
        "--recorded",
        type=Path,
        metavar="FILE",
        help="judge what this file holds; where it is not there, measure and write it",
    )
    add_making(versions)
    add_selection(versions)
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
    terms = _terms(options)
    if options.self_test:
        return gate_selftest.run(options, terms, errors)
    if options.base is not None and not options.results:
        account = _versions(options, terms, errors)
    elif options.base is None and len(options.results) == 2:
        before, after = options.results
        account = stored(before, after, terms.tolerances, anyway=options.anyway)
    else:
        raise UsageError(
            "the gate compares two files of results, or the versions --base and --head"
        )
    gate_terminal.show(account, Console())
    if options.out is not None:
        for path in report.write(account, options.out):
            errors.print(f"Written: {path}", markup=False, highlight=False, soft_wrap=True)
    return account.decision.exit_code


def _terms(options: argparse.Namespace) -> Terms:
    tolerances = Tolerances(slowdown=options.slowdown / 100, points=options.points)
    return Terms(tolerances, options.seconds, options.threads)


def _versions(options: argparse.Namespace, terms: Terms, errors: Console) -> Account:
    with commands.progress(errors) as progress:
        return compare_versions(
            Version(options.base, options.base_python),
            Version(options.head, options.head_python),
            matrix_of(options),
            terms,
            install=options.install,
            cache=default_root() / "gate",
            progress=progress,
        )


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


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")
    return value
