"""What a version's own fqbench answered (``side.build``), checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from fqbench.errors import UsageError
from fqbench.gate.records import Machine, Name, Record, Row, Run, Samples, StoredResults, Text
from fqbench.isolate import Interpreter
from fqbench.measure.launches import Process
from fqbench.spec.mistake import sentence


class _Interpreter(Record):
    executable: Text
    path: tuple[Text, ...] | None = None
    first: tuple[Text, ...] = ()


class _Process(Record):
    name: Text
    sides: tuple[Name, ...]
    function: Annotated[str, Field(pattern=r"^fqbench(\.[a-z]\w*)+:[a-z]\w*$")]
    arguments: dict[str, JsonValue]
    threads: Annotated[int, Field(ge=1)]
    block: Annotated[float, Field(gt=0)] | None = None
    interpreter: _Interpreter | None = None


class _Answer(Record):
    protocol: Literal[1]
    code: Text
    created: Text
    machine: Machine
    rows: tuple[Row, ...]
    samples: Samples
    processes: dict[Name, _Process]
    left_out: Mapping[Name, tuple[Text, ...]] = {}
    measures: Mapping[Name, Mapping[Name, _Process]] = {}


@dataclass(frozen=True)
class BuiltVersion:
    """One version: its rows and accuracies, its code's digest, and what times each cell.

    ``left_out``: names that were asked for and that it does not have, by dimension. ``measures``:
    what takes each of the measures that it has, by cell.
    """

    label: str
    results: StoredResults
    code: str
    processes: dict[str, Process]
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    measures: Mapping[str, Mapping[str, Process]] = field(default_factory=dict)


def read_built(label: str, answer: object, interpreter: Interpreter) -> BuiltVersion:
    """The answer of ``side.build``. Raises UsageError where it does not follow the protocol."""
    try:
        found = _Answer.model_validate(answer)
    except ValidationError as error:
        cause = sentence(error.errors()[0], TypeAdapter(_Answer).json_schema())
        raise UsageError(
            f"the fqbench of {label} cannot be gated by this one, they are too far apart: {cause}"
            "; compare versions that are nearer to each other"
        ) from error
    run = Run(created=found.created, rows=found.rows, samples=found.samples)
    results = StoredResults(Path(label), "results", found.machine, (run,))
    processes = _processes(found.processes, interpreter)
    measures = {name: _processes(each, interpreter) for name, each in found.measures.items()}
    return BuiltVersion(label, results, found.code, processes, found.left_out, measures)


def _processes(found: Mapping[Name, _Process], interpreter: Interpreter) -> dict[str, Process]:
    """By cell; ``interpreter``: of those that name none."""
    return {
        cell: Process(
            **process.model_dump(exclude={"interpreter"}),
            interpreter=interpreter
            if process.interpreter is None
            else Interpreter(**process.interpreter.model_dump()),
        )
        for cell, process in found.items()
    }
