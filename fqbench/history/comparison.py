"""Two runs of the history compared, as the gate compares stored results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fqbench.errors import UsageError
from fqbench.gate.evidence import Tolerances
from fqbench.gate.records import Machine, StoredResults
from fqbench.gate.records import Run as StoredRun
from fqbench.gate.stored.comparability import differences as stored_differences
from fqbench.gate.stored.comparison import compare_stored
from fqbench.gate.stored.files import validated
from fqbench.gate.stored.method_notes import cautions
from fqbench.gate.verdict import GateReport
from fqbench.history.reader import Reader
from fqbench.history.records import KeptRow, KeptRun
from fqbench.history.surroundings import differences
from fqbench.measure.stats import Interval


def compare_runs(
    reader: Reader, base: int, head: int, tolerances: Tolerances = Tolerances()
) -> GateReport:
    """``head`` against ``base``, cell by cell, as ``fqbench gate`` has it of stored results.

    What differs between them beside the machine is a caution: a new commit or another version of
    a runtime is what one wants to compare. Raises UsageError where a run is not there, or they are
    of two kinds of machine.
    """
    runs = [_found(reader, number) for number in (base, head)]
    _check(*runs)
    rows = [reader.rows(run.number) for run in runs]
    sides = [_stored(run, found) for run, found in zip(runs, rows, strict=True)]
    names = [f"run {run.number}{f' ({run.code})' if run.code else ''}" for run in runs]
    changed = [str(each) for each in differences(runs[0].environment, runs[1].environment)]
    # Of data and method: versions are among those of the environment.
    others = [d for d in stored_differences(*sides) if not _is_version(d, runs)]
    report = compare_stored(sides[0], sides[1], tolerances)
    return replace(
        report,
        base=names[0],
        head=names[1],
        cautions=cautions(sides[0], sides[1], (*changed, *others)),
    )


def _found(reader: Reader, number: int) -> KeptRun:
    run = reader.run(number)
    if run is None:
        raise UsageError(
            f"run {number} is not in the history: 'fqbench history' lists those that are"
        )
    return run


def _check(base: KeptRun, head: KeptRun) -> None:
    """Raise UsageError where times on the machines of both do not compare."""
    for what, ours, theirs in (
        ("machine", base.machine.label, head.machine.label),
        ("GPU", base.gpu, head.gpu),
        ("number of threads", base.threads, head.threads),
    ):
        if ours != theirs:
            raise UsageError(
                f"runs {base.number} and {head.number} cannot be compared: the {what} of one is"
                f" {ours or 'none'}, of the other {theirs or 'none'}; choose two of one machine"
            )


def _is_version(difference: str, runs: Sequence[KeptRun]) -> bool:
    name, _, rest = difference.partition(" ")
    return name in {*runs[0].environment, *runs[1].environment} or " of the environment " in rest


def _stored(run: KeptRun, rows: Sequence[KeptRow]) -> StoredResults:
    """A run as the gate reads it from files."""
    path = Path(f"run {run.number}")
    machine = validated(
        Machine,
        {
            "cpu": {name: run.machine.facts.get(name) for name in _CPU},
            "gpu": {"name": run.gpu, "driver": run.environment.get("GPU driver")},
            "threads": run.threads,
            "versions": dict(run.environment),
            "reference": None if run.spread is None else {"spread": run.spread},
        },
        path,
    )
    content = {
        "created": run.created,
        "rows": [_row(row) for row in rows],
        "samples": {
            "accuracies": {
                row.cell: row.answer.points for row in rows if len(row.answer.points) > 1
            }
        },
    }
    return StoredResults(path, "results", machine, (validated(StoredRun, content, path),))


_CPU = ("model", "isa", "cores", "usable_cores")


def _row(row: KeptRow) -> Mapping[str, Any]:
    answer = row.answer
    timed = row.ms is not None and row.minimum is not None
    digests = ("files", "images", "truth", "calibration")
    hashes = {name: getattr(answer, name) for name in digests}
    return {
        "cell": row.cell,
        "model": row.model,
        "device": row.device,
        "precision": row.precision,
        "status": row.status,
        "reason": row.reason,
        "weights": row.weights,
        "method": row.method,
        "latency_ms": {"p50": row.ms.value, "min": row.minimum} if timed and row.ms else None,
        "batch": row.batch,
        "in_kernels": _factor(row.kernels),
        "launches": row.launches,
        "pinned": row.pinned,
        "ratio": _factor(row.ratio),
        "metric": answer.metric,
        "accuracy": answer.accuracy,
        "dataset": answer.dataset,
        "images": answer.image_count,
        "drop": _factor(row.drop),
        "margin": row.margin,
        "agreement": row.agreement,
        "hashes": {name: text for name, text in hashes.items() if text is not None},
    }


def _factor(found: Interval | None) -> Mapping[str, Any] | None:
    return None if found is None else {"value": found.value, "ci95": (found.low, found.high)}
