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
from fqbench.cli import gate_selftest
from fqbench.cli.display import progress
from fqbench.cli.gate_options import mode_of
from fqbench.cli.output import print_json, say
from fqbench.cli.selection import matrix_of
from fqbench.errors import UsageError
from fqbench.gate.evidence import Tolerances
from fqbench.gate.live.comparison import ComparisonSettings
from fqbench.gate.live.runtimes import compare_runtimes, names_a_runtime
from fqbench.gate.live.versions import Version, compare_versions
from fqbench.gate.stored.comparability import differences
from fqbench.gate.stored.comparison import compare_stored
from fqbench.gate.stored.files import read_stored
from fqbench.gate.stored.method_notes import cautions
from fqbench.gate.verdict import GateReport, describe_machines
from fqbench.report import gate as gate_report
from fqbench.report import gate_terminal
from fqbench.report.html import gate as gate_page


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench gate``: the exit code of the decision."""
    mode, settings = mode_of(options), _settings(options)
    with _clean_end():
        if mode == "self-test":
            return gate_selftest.run(options, settings, errors)
        if mode == "versions":
            report = _versions(options, settings, errors)
        else:
            before, after = options.results
            report = stored(before, after, settings.tolerances, anyway=options.anyway)
    written: tuple[Path, ...] = ()
    if options.out is not None:
        page = gate_page.write(report, settings.tolerances, options.out)
        written = (*gate_report.write(report, options.out), page)
    if options.json:
        print_json(report.to_json())
    else:
        file = written[-1] if written else None
        gate_terminal.show(report, Console(), verbose=options.verbose, file=file)
    for path in written:
        say(errors, f"Written: {path}")
    return report.decision.exit_code


@contextmanager
def _clean_end() -> Iterator[None]:
    """Let SIGTERM, as CI cancels a job, end this as an exception does: checkouts are removed."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # Removing them is not to be stopped.
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _settings(options: argparse.Namespace) -> ComparisonSettings:
    tolerances = Tolerances(slowdown=options.slowdown / 100, points=options.points)
    return ComparisonSettings(tolerances, options.seconds, options.threads)


def _versions(
    options: argparse.Namespace, settings: ComparisonSettings, errors: Console
) -> GateReport:
    runtimes = [name for name in (options.base, options.head) if names_a_runtime(name)]
    with progress(errors) as report:
        if len(runtimes) == 2:
            return compare_runtimes(
                options.base,
                options.head,
                matrix_of(options),
                settings,
                cache=default_root() / "gate",
                progress=report,
            )
        if runtimes:
            raise UsageError(
                f"{runtimes[0]} is a version of a runtime: compare it with another one of it by"
                " --base and --head"
            )
        return compare_versions(
            Version(options.base, options.base_python),
            Version(options.head, options.head_python),
            matrix_of(options),
            settings,
            install=options.install,
            cache=default_root() / "gate",
            progress=report,
        )


def stored(base: Path, head: Path, tolerances: Tolerances, *, anyway: bool) -> GateReport:
    """Compare two files. Raises UsageError where they differ in more than what is measured."""
    sides = read_stored(base), read_stored(head)
    found = differences(*sides)
    if found and not anyway:
        raise UsageError(
            f"{head} was not measured on the same as {base}: {'; '.join(found)}. Measure both"
            " alike, or compare them --anyway"
        )
    report = compare_stored(*sides, tolerances)
    return replace(report, cautions=cautions(*sides, found), machine=describe_machines(*sides))
