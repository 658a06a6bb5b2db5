"""The CPU and the memory that there are, and which kernels runtimes choose on them."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

import cpuinfo
import psutil

ISA_FLAGS = (
    "avx2",
    "fma",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)
"""Instruction sets that decide how fast float and integer convolutions are."""


class CpuFacts(TypedDict):
    """The CPU as results hold it; ``isa``: those of ``ISA_FLAGS`` that it has."""

    model: str
    arch: str
    isa: list[str]
    cores: int
    usable_cores: int


class KernelFacts(TypedDict):
    """What decides which kernels runtimes choose; ``hidden``: variables that hide instruction sets.

    Steps whose result depends on the CPU have it in their keys.
    """

    model: str
    arch: str
    isa: list[str]
    hidden: dict[str, str]


@cache
def _info() -> Mapping[str, Any]:
    """What the CPU tells of itself: to ask takes a second."""
    info: Mapping[str, Any] = cpuinfo.get_cpu_info()
    return info


def instruction_sets() -> frozenset[str]:
    """All of the CPU's, as Linux calls them."""
    return frozenset(_info().get("flags", ()))


@cache
def cpu() -> CpuFacts:
    """Model, instruction set flags and cores of the CPU."""
    there = instruction_sets()
    return {
        "model": str(_info().get("brand_raw", platform.processor() or "unknown")),
        "arch": platform.machine(),
        "isa": [flag for flag in ISA_FLAGS if flag in there],
        "cores": psutil.cpu_count(logical=False) or 1,
        "usable_cores": usable_cores(),
    }


HIDING = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "CPU_MASK")
"""Environment variables that hide instruction sets from a runtime: oneDNN's, and that of
``tools/cpu_mask``."""


def kernels_of() -> KernelFacts:
    """What decides which kernels runtimes choose here, and so what they compute."""
    hidden = {name: os.environ[name] for name in HIDING if name in os.environ}
    found = cpu()
    return {"model": found["model"], "arch": found["arch"], "isa": found["isa"], "hidden": hidden}


def core_ids() -> tuple[int, ...]:
    """Numbers of the logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def usable_cores() -> int:
    """How many logical cores this process may use."""
    return len(core_ids())


MEMORY_SHARE = 0.8
"""Part of the machine's memory that one child process may use."""


def memory_mb() -> int:
    """Memory of the machine in MiB."""
    return int(psutil.virtual_memory().total >> 20)


SETTINGS = {
    "governor": "cpufreq/scaling_governor",
    "boost": "../cpufreq/boost",
    "turbo off": "../intel_pstate/no_turbo",
    "SMT": "../smt/control",
}
"""What decides about the CPU's clock, by the file that Linux keeps it in, beside the first CPU."""

FIRST_CPU = Path("/sys/devices/system/cpu/cpu0")


def settings(place: Path = FIRST_CPU) -> dict[str, str]:
    """How the CPU's clock is governed; without what the system does not say."""
    found = {name: _first_word(place / file) for name, file in SETTINGS.items()}
    return {name: word for name, word in found.items() if word}


def _first_word(path: Path) -> str:
    try:
        return (path.read_text("ascii", "replace").split() or [""])[0]
    except OSError:
        return ""
