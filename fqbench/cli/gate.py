"""``fqbench gate``: whether HEAD is worse than BASE."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console

from fqbench.artifacts import default_root
from fqbench.cli import commands, gate_selftest
from fqbench.cli.gate_options import way_of
from fqbench.cli.selection import matrix_of
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


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench gate``: the exit code of the decision."""
    way, terms = way_of(options), _terms(options)
    with _orderly_end():
        if way == "self-test":
            return gate_selftest.run(options, terms, errors)
        if way == "versions":
            account = _versions(options, terms, errors)
        else:
            before, after = options.results
            account = stored(before, after, terms.tolerances, anyway=options.anyway)
    gate_terminal.show(account, Console())
    if options.out is not None:
        for path in report.write(account, options.out):
            errors.print(f"Written: {path}", markup=False, highlight=False, soft_wrap=True)
    return account.decision.exit_code


@contextmanager
def _orderly_end() -> Iterator[None]:
    """Let SIGTERM, as CI cancels a job, end this as an exception does: checkouts are taken away."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # Taking them away is not to be stopped.
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
