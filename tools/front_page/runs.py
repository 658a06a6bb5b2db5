"""What the table needs of ``results.json``, read as untrusted files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from fqbench.errors import UsageError
from fqbench.gate import records
from fqbench.gate.records import Count, Name, Number, Positive, Text
from fqbench.gate.stored.files import read_json, validated
from fqbench.methods import DEFAULT
from fqbench.precisions import find_precision
from fqbench.precisions.own import INT8

SYNTHETIC = "synthetic"
"""What results call random weights."""


class Latency(records.Times):
    """Median and shortest time of an inference in ms, the median with its 95 % interval."""

    ci95: tuple[Positive, Positive] | None = None


class Row(records.Row):
    """One cell of a run."""

    model: Name
    backend: Name
    device: Name
    precision: Name
    latency_ms: Latency | None = None
    size_mb: Number | None = None
    quantize_s: Number | None = None
    convolutions: Count | None = None
    int8_convolutions: Count | None = None
    slowdown: Positive | None = None

    @property
    def maker(self) -> str | None:
        """The method that made its model; None where nothing was quantized."""
        if self.is_float:
            return None
        _, _, named = self.cell.partition("@")
        return named or self.method or (DEFAULT if self.precision == INT8.name else None)

    @property
    def is_float(self) -> bool:
        """Whether its precision computes with floating-point numbers."""
        known = find_precision(self.precision)
        return known is not None and known.weights.kind == "float"

    @property
    def is_baseline(self) -> bool:
        """Whether drops are counted from it."""
        known = find_precision(self.precision)
        return known is not None and known.baseline

    @property
    def place(self) -> tuple[str, str, str, str, str | None]:
        """What tells it from all others, in whichever run it was measured."""
        return self.model, self.backend, self.device, self.precision, self.maker


class Machine(records.Machine):
    """What a run was measured on."""

    hidden: dict[Name, Text] = Field(default={})
    toolkits: dict[Name, Text] = Field(default={})


class _Results(records.Record):
    schema_: Annotated[Literal[1], Field(alias="schema")]
    created: Text
    machine: Machine
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Run:
    """One ``results.json``."""

    path: Path
    created: str
    machine: Machine
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Measured:
    """The rows of several runs, each cell once, and the runs that they are of."""

    rows: tuple[Row, ...]
    runs: tuple[Run, ...]


def read_run(folder: Path) -> Run:
    """The run whose results are in ``folder``. Raises UsageError where they are not usable."""
    path = folder / "results.json" if folder.is_dir() else folder
    found = validated(_Results, read_json(path), path)
    return Run(path, found.created, found.machine, found.rows)


def joined(runs: Sequence[Run]) -> Measured:
    """All rows, in the order of the runs; of a cell that several have, the last one's.

    Rows with random weights are left out where the model was run with trained ones, too. Raises
    UsageError where the rows of one model were measured on different machines: their times do not
    compare.
    """
    trained = {row.model for run in runs for row in run.rows if row.weights != SYNTHETIC}
    rows: dict[tuple[object, ...], Row] = {}
    of: dict[str, dict[object, Run]] = {}
    for run in runs:
        for row in run.rows:
            if row.weights == SYNTHETIC and row.model in trained:
                continue
            rows[row.place] = row
            if row.latency_ms is not None:
                of.setdefault(row.model, {}).setdefault(_machine(run), run)
    for model, machines in of.items():
        if len(machines) > 1:
            first, second, *_ = (run.path for run in machines.values())
            raise UsageError(
                f"{model} was measured on different machines in {first} and {second}: give the"
                " runs of one machine"
            )
    return Measured(tuple(rows.values()), tuple(runs))


def _machine(run: Run) -> object:
    machine = run.machine
    return machine.cpu.model, machine.cpu.isa, machine.threads, tuple(machine.hidden.items())


def by_model(rows: Iterable[Row]) -> dict[str, tuple[Row, ...]]:
    """The rows of each model, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.model, []).append(row)
    return {model: tuple(of_it) for model, of_it in found.items()}
