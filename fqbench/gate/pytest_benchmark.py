"""The files of ``pytest --benchmark-json``, fqbench's own and anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from fqbench.errors import UsageError
from fqbench.gate.jsonfile import validated
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
    Text,
    Times,
)
from fqbench.hardware import ISA_FLAGS


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


class _File(Record):
    datetime: Text = ""
    machine_info: _MachineInfo = _MachineInfo()
    benchmarks: tuple[_Benchmark, ...]


def read(path: Path, content: Mapping[str, object]) -> tuple[Machine, Run]:
    """The machine and the one run of a file. Raises UsageError where it is not usable."""
    file = validated(_File, content, path)
    told = [b.extra_info.machine for b in file.benchmarks if b.extra_info.machine is not None]
    if any(machine != told[0] for machine in told):
        raise UsageError(f"{path}: its benchmarks were measured on different machines")
    values = {"created": file.datetime, "rows": tuple(_row(b) for b in file.benchmarks)}
    run = validated(Run, values, path)
    return (told[0] if told else _machine(file.machine_info)), run


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
