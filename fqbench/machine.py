"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib import metadata

import cpuinfo
import psutil

from fqbench import __version__
from fqbench.backends import nvidia
from fqbench.backends.tensorrt.library import LIBRARIES as OF_ENGINES

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

LIBRARIES = (
    "onnxruntime",
    "paddlepaddle",
    "paddleslim",
    "paddle2onnx",
    "x2paddle",
    "onnx",
    "numpy",
    "pycocotools",
    "scipy",
    "pillow",
    *OF_ENGINES,
)
OTHER_NAMES = {
    "onnxruntime": ("onnxruntime-gpu",),
    **{name: library.distributions for name, library in OF_ENGINES.items()},
}
"""What a library may be installed as beside its own name."""


@cache
def versions() -> dict[str, str]:
    """Version of each library that shapes results; a library not installed is left out."""
    found = {"fqbench": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        for installed in (name, *OTHER_NAMES.get(name, ())):
            with suppress(metadata.PackageNotFoundError):
                found[name] = metadata.version(installed)
                break
    return found


@cache
def cpu() -> dict[str, str | int | list[str]]:
    """Model, instruction set flags and cores of the CPU."""
    info = cpuinfo.get_cpu_info()
    flags = set(info.get("flags", ()))
    return {
        "model": str(info.get("brand_raw", platform.processor() or "unknown")),
        "arch": platform.machine(),
        "isa": [flag for flag in ISA_FLAGS if flag in flags],
        "cores": psutil.cpu_count(logical=False) or 1,
        "usable_cores": usable_cores(),
    }


HIDING = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "CPU_MASK")
"""Environment variables that hide instruction sets from a runtime: oneDNN's, and that of
``tools/cpu_mask``."""


def kernels_of() -> dict[str, object]:
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


def describe(threads: int) -> dict[str, object]:
    """The machine as it goes into results; ``threads``: number used for latency."""
    gpu = {} if nvidia.why_no_gpu() is not None else {"gpu": asdict(nvidia.gpu())}
    hidden = kernels_of()["hidden"]
    return {
        "cpu": cpu(),
        **({"hidden": hidden} if hidden else {}),
        **gpu,
        "threads": threads,
        "memory_gb": round(memory_mb() / 1024, 1),
        "system": platform.platform(terse=True),
        "versions": versions(),
    }
