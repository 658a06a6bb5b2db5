"""Files of results of earlier runs, parsed as untrusted JSON with each error in one sentence.

``results.json`` with the ``samples.json`` of the same run beside it, a baseline, or what
pytest-benchmark writes, fqbench's own or that of any other project.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, NoReturn, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from fqbench.errors import UsageError
from fqbench.gate.records import (
    Count,
    Cpu,
    Factor,
    Machine,
    Name,
    Positive,
    Record,
    Row,
    Run,
    Samples,
    StoredResults,
    Text,
    Times,
)
from fqbench.hardware import ISA_FLAGS
from fqbench.samples import FILE as SAMPLES
from fqbench.spec.mistake import sentence

SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes: the times of some hundred cells."""


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


class _Stats(Record):
    median: Positive
    min: Positive


class _ExtraInfo(Record):
    """What ``benchmarks/test_latency.py`` adds."""

    cell: Name | None = None
    machine: Machine | None = None
    ratio: Factor | None = None
    in_kernels: Factor | None = None
    launches: Count | None = None
    pinned: Annotated[bool, Field(strict=True)] | None = None


class _Benchmark(Record):
    fullname: Name
    stats: _Stats
    extra_info: _ExtraInfo = _ExtraInfo()


class _CpuInfo(Record):
    brand_raw: Text | None = None
    flags: tuple[Text, ...] | None = None
    count: Annotated[int, Field(ge=0)] | None = None


class _MachineInfo(Record):
    python_version: Text | None = None
    cpu: _CpuInfo = _CpuInfo()


class _PytestBenchmark(Record):
    datetime: Text = ""
    machine_info: _MachineInfo = _MachineInfo()
    benchmarks: tuple[_Benchmark, ...]


def read_stored(path: Path) -> StoredResults:
    """Read one side. Raises UsageError where the file is none of the three, or not usable."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no stored results: expected a JSON object")
    if "benchmarks" in content:
        return parse_pytest_benchmark(path, content)
    if content.get("kind") == "baseline":
        baseline = validated(_Baseline, content, path)
        return StoredResults(path, "baseline", baseline.machine, baseline.runs, baseline.accepted)
    if "rows" in content:
        return _with_samples(path, validated(_Results, content, path))
    raise UsageError(
        f"{path} holds no stored results: expected fqbench's results.json or baseline, or the file"
        " of pytest --benchmark-json"
    )


def parse_pytest_benchmark(path: Path, content: Mapping[str, object]) -> StoredResults:
    """The one run of a file of pytest-benchmark. Raises UsageError where it is not usable."""
    file = validated(_PytestBenchmark, content, path)
    machines = [b.extra_info.machine for b in file.benchmarks if b.extra_info.machine is not None]
    if any(machine != machines[0] for machine in machines):
        raise UsageError(
            f"{path}: its benchmarks were measured on different machines"
            ": run them again on one machine"
        )
    values = {"created": file.datetime, "rows": tuple(_row(b) for b in file.benchmarks)}
    run = validated(Run, values, path)
    machine = machines[0] if machines else _machine(file.machine_info)
    return StoredResults(path, "pytest-benchmark", machine, (run,))


def read_json(path: Path) -> object:
    """The content of a JSON file.

    Raises UsageError: not readable, larger than ``SIZE_LIMIT``, not JSON, a key twice in one
    object, or a number that JSON does not have (NaN, Infinity).
    """
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)  # Not by stat: a pipe has no size.
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}; name a file that can be read"
        ) from error
    if len(content) > SIZE_LIMIT:
        raise UsageError(f"{path} is too large for stored results: {SIZE_LIMIT} bytes are allowed")
    try:
        text = content.decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_unique)
    except RecursionError as error:
        raise UsageError(
            f"{path} is not usable: it is nested too deeply: write it again by fqbench run"
        ) from error
    # UnicodeDecodeError and JSONDecodeError are ValueErrors, as is a number of too many digits.
    except ValueError as error:
        raise UsageError(
            f"{path} is not valid JSON: {error}; write it again by fqbench run"
        ) from error


_Model = TypeVar("_Model", bound=BaseModel)


def validated(record: type[_Model], content: object, path: Path) -> _Model:
    """``content`` as ``record``. Raises UsageError with the file, the key and what is wrong."""
    try:
        return record.model_validate(content)
    except ValidationError as error:
        found = sentence(error.errors()[0], TypeAdapter(record).json_schema())
        raise UsageError(f"{path}: {found}") from error


def _with_samples(path: Path, results: _Results) -> StoredResults:
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
    return StoredResults(path, "results", results.machine, (run,), notes=(note,) if note else ())


def _row(benchmark: _Benchmark) -> Row:
    info = benchmark.extra_info
    return Row(
        cell=info.cell or benchmark.fullname,
        precision=info.cell.rpartition("-")[2] if info.cell else None,
        latency_ms=Times(p50=1e3 * benchmark.stats.median, min=1e3 * benchmark.stats.min),
        ratio=info.ratio,
        in_kernels=info.in_kernels,
        launches=info.launches,
        pinned=info.pinned,
    )


def _machine(info: _MachineInfo) -> Machine:
    flags = info.cpu.flags
    isa = None if flags is None else tuple(flag for flag in ISA_FLAGS if flag in flags)
    cpu = Cpu(model=info.cpu.brand_raw or "unknown", isa=isa, usable_cores=info.cpu.count)
    versions = {"python": info.python_version} if info.python_version else {}
    return Machine(cpu=cpu, versions=versions)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        duplicate = next(name for name in counts if counts[name] > 1)
        raise ValueError(f"the key {duplicate!r} is written twice")
    return found
