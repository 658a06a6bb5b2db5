"""Two versions of a runtime compared: the same models and the same code, timed in turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from fqbench import isolate
from fqbench.backends import backend, unversioned
from fqbench.environments import Missing, find
from fqbench.errors import UsageError
from fqbench.gate.live.built_version import BuiltVersion, read_built
from fqbench.gate.live.comparison import BASE, HEAD, ComparisonSettings, compare_live
from fqbench.gate.side import ENTRY_POINT, Matrix
from fqbench.gate.verdict import GateReport
from fqbench.hardware import memory_mb
from fqbench.isolate import Interpreter
from fqbench.steps.observer import Progress

BUILD_S = 6 * 3600.0

Value = TypeVar("Value")


def names_a_runtime(name: str) -> bool:
    """Whether ``name`` is a version of a backend, and no version of a repository."""
    try:
        return unversioned(name) != name and backend(name).name == name
    except UsageError:
        return False


def compare_runtimes(
    base: str,
    head: str,
    matrix: Matrix,
    settings: ComparisonSettings,
    *,
    cache: Path,
    progress: Progress,
) -> GateReport:
    """Compare two versions of one backend, such as ``onnxruntime==1.23.2`` and ``==1.32.0``.

    Both run what the backend itself makes of the models of ``matrix``. Raises UsageError where
    they are of two backends, or an environment is missing.
    """
    _check(base, head, matrix)
    built = []
    for side, version in ((BASE, base), (HEAD, head)):
        chosen = replace(matrix, selection=replace(matrix.selection, backends=(version,)))
        name = f"building {side.upper()} ({version})"

        def report(done: int, total: int, text: str = "", side: str = side) -> None:
            progress(f"{side.upper()}: {text}", done, total)

        answer = isolate.call(
            ENTRY_POINT,
            chosen.arguments(side, cache / "artifacts", settings.threads),
            timeout_s=BUILD_S,
            memory=isolate.SharedMemory(memory_mb()),
            on_progress=report,
            name=name,
        )
        built.append(_of_backend(read_built(version, answer, Interpreter.here()), version))
    return compare_live(built[0], built[1], settings, progress)


def _check(base: str, head: str, matrix: Matrix) -> None:
    """Raise UsageError where the two cannot be compared."""
    if unversioned(base) != unversioned(head):
        raise UsageError(f"{base} and {head} are versions of two backends: name two of one")
    if matrix.selection.backends is not None:
        raise UsageError(f"--backends is of no use beside --base {base}: leave it out")
    for version in (base, head):
        there = find(backend(version).environment)
        if isinstance(there, Missing):
            raise UsageError(there.reason)
    matrix.selection.check()


def _of_backend(built: BuiltVersion, version: str) -> BuiltVersion:
    """``built`` with its cells called as those of the backend, so that both sides have the same."""

    def name(cell: str) -> str:
        return cell.replace(f"-{version}-", f"-{unversioned(version)}-")

    def named(found: Mapping[str, Value]) -> dict[str, Value]:
        return {name(cell): value for cell, value in found.items()}

    (run,) = built.results.runs
    rows = tuple(row.model_copy(update={"cell": name(row.cell)}) for row in run.rows)
    groups = tuple(
        group.model_copy(update={"cells": named(group.cells)}) for group in run.samples.groups
    )
    accuracies = named(run.samples.accuracies)
    samples = run.samples.model_copy(update={"groups": groups, "accuracies": accuracies})
    run = run.model_copy(update={"rows": rows, "samples": samples})
    return replace(
        built,
        results=replace(built.results, runs=(run,)),
        processes=named(built.processes),
        measures={measure: named(found) for measure, found in built.measures.items()},
    )
