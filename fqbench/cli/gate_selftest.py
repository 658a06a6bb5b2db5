"""``fqbench gate --self-test``."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from fqbench import machine
from fqbench.artifacts import default_root
from fqbench.cli.display import progress
from fqbench.cli.output import DONE, print_json, say
from fqbench.cli.selection import matrix_of
from fqbench.errors import StepError, UsageError
from fqbench.fileio import write_text
from fqbench.gate import side
from fqbench.gate.live.built_version import read_built
from fqbench.gate.live.comparison import BASE, ComparisonSettings
from fqbench.gate.selftest import recording
from fqbench.gate.selftest.recording import Recording
from fqbench.gate.selftest.trial import CELLS, Suite, judge, measure, planned
from fqbench.isolate import Interpreter
from fqbench.measure.launches import Process
from fqbench.methods import check_offered
from fqbench.report import gate_selftest as report
from fqbench.steps.observer import Progress


def run(options: argparse.Namespace, settings: ComparisonSettings, errors: Console) -> int:
    """Measure suites, or read them, judge them repeatedly, and print what was found."""
    with progress(errors) as told:
        try:
            suites = _suites(options, settings, told)
        except StepError as error:
            # To the gate a crash is a finding, but there is no other version here.
            raise UsageError(str(error)) from error
        trial = judge(suites, options.repetitions, settings, random.Random(0), told)
    if options.json:
        print_json(report.figures(trial))
    else:
        report.show(trial, Console())
    if options.out is not None:
        text = json.dumps(report.figures(trial), indent=1) + "\n"
        say(errors, f"Written: {write_text(options.out / 'self-test.json', text)}")
    return DONE


def _suites(
    options: argparse.Namespace, settings: ComparisonSettings, progress: Progress
) -> Sequence[Suite]:
    """Those that the file holds; what it lacks of the planned ones is measured."""
    file: Path | None = options.recorded
    found = Recording((), tuple(planned(options.suites)))
    if file is not None and file.exists():
        found = recording.read(file)
    if not found.missing:
        return found.suites
    processes, described = _processes(options, progress), machine.describe(settings.threads)
    for suite in measure(processes, found.missing, settings, random.Random(), progress):
        found = replace(found, suites=(*found.suites, suite))
        if file is not None:
            recording.write(file, found, described)
    return found.suites


def _processes(options: argparse.Namespace, progress: Progress) -> dict[str, Process]:
    """The processes that time each chosen cell, or each of the default."""
    matrix = matrix_of(options)
    matrix.selection.check()
    check_offered(matrix.method)
    arguments = matrix.arguments(BASE, default_root() / "gate" / "artifacts", options.threads)
    answer = side.build(
        arguments,
        lambda done, total, text="": progress(text, done, total),
    )
    found = read_built("this version", answer, Interpreter.here()).processes
    chosen = matrix.specs or any(vars(matrix.selection).values())
    processes = {cell: p for cell, p in found.items() if chosen or cell in CELLS}
    if not processes:
        raise UsageError(
            "none of the chosen cells runs here: choose among those that fqbench list shows"
        )
    return processes
