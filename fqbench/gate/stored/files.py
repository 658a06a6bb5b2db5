"""Results of earlier runs, as they are compared.

``results.json`` with the ``samples.json`` of the same run beside it, a baseline, or what
pytest-benchmark writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from fqbench.errors import UsageError
from fqbench.gate import pytest_benchmark
from fqbench.gate.jsonfile import read_json, validated
from fqbench.gate.records import Machine, Name, Record, Row, Run, Samples, Text
from fqbench.samples import FILE as SAMPLES

Kind = Literal["results", "baseline", "pytest-benchmark"]


class _Version(Record):
    schema_: Annotated[Literal[1], Field(alias="schema")]


class _Results(_Version):
    created: Text
    machine: Machine
    rows: tuple[Row, ...]


class _SamplesFile(_Version, Samples):
    created: Text


class _Baseline(_Version):
    created: Text
    machine: Machine
    runs: Annotated[tuple[Run, ...], Field(min_length=1)]
    accepted: Mapping[Name, Text] = {}


@dataclass(frozen=True)
class Stored:
    """One side of a comparison: one or more runs on one machine.

    ``accepted``: broken values that a baseline keeps, each cell with the reason that was given.
    ``notes``: what the file lacks, a sentence each.
    """

    path: Path
    kind: Kind
    machine: Machine
    runs: tuple[Run, ...]
    accepted: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_stored(path: Path) -> Stored:
    """Read one side. Raises UsageError where the file is none of the three, or not usable."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no stored results: expected a JSON object")
    if "benchmarks" in content:
        machine, run = pytest_benchmark.read(path, content)
        return Stored(path, "pytest-benchmark", machine, (run,))
    if content.get("kind") == "baseline":
        baseline = validated(_Baseline, content, path)
        return Stored(path, "baseline", baseline.machine, baseline.runs, baseline.accepted)
    if "rows" in content:
        return _results(path, validated(_Results, content, path))
    raise UsageError(
        f"{path} holds no stored results: expected fqbench's results.json or baseline, or the file"
        " of pytest --benchmark-json"
    )


def _results(path: Path, results: _Results) -> Stored:
    samples, note = Samples(), None
    beside = path.with_name(SAMPLES)
    if beside.is_file():
        found = validated(_SamplesFile, read_json(beside), beside)
        if found.created == results.created:
            samples = Samples(groups=found.groups, accuracies=found.accuracies)
        else:
            note = f"{beside} is of another run (created {found.created}) and was left out"
    else:
        note = f"there is no {SAMPLES} beside {path}"
    values = {"created": results.created, "rows": results.rows, "samples": samples}
    run = validated(Run, values, path)
    return Stored(path, "results", results.machine, (run,), notes=(note,) if note else ())
