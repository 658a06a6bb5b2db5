"""What the figures were measured on."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from typing import TypedDict

from fqbench import __version__
from fqbench.backends import backends, nvidia
from fqbench.graph.executor import LIBRARY
from fqbench.hardware import CpuFacts, cpu, kernels_of, memory_mb

LIBRARIES = (
    LIBRARY,
    "paddlepaddle",
    "paddleslim",
    "paddle2onnx",
    "x2paddle",
    "onnx",
    "numpy",
    "pycocotools",
    "scipy",
    "pillow",
)
"""Those that fqbench itself computes with, whatever the backend."""


@cache
def versions() -> dict[str, str]:
    """Version of each library that shapes results; a library not installed is left out."""
    found = {"fqbench": __version__, "python": platform.python_version()}
    packages: dict[str, tuple[str, ...]] = {name: (name,) for name in LIBRARIES}
    for known in backends().values():
        packages.update(known.distributions)
    for name, distributions in packages.items():
        for installed in distributions:
            with suppress(metadata.PackageNotFoundError):
                found[name] = metadata.version(installed)
                break
    return found


class GpuFacts(TypedDict):
    """See ``fqbench.backends.nvidia.Gpu``."""

    name: str
    capability: Sequence[int]
    driver: str
    cuda: Sequence[int]
    memory_mb: int | None


class SpeedFacts(TypedDict):
    """See ``fqbench.measure.reference.Speed``."""

    float32: float
    int8: float
    copy: float
    spread: float


class MachineFacts(TypedDict, total=False):
    """The machine as results hold it; a key is left out where there is nothing to say.

    ``hidden``: environment variables that hide instruction sets from runtimes. ``threads``: number
    used for latency. ``pinned``: whether every process was bound to a core. ``reference``: what the
    machine did meanwhile. ``saturates``: by backend, whether 8-bit products saturate here.
    """

    cpu: CpuFacts
    hidden: dict[str, str]
    gpu: GpuFacts
    threads: int
    memory_gb: float
    system: str
    versions: dict[str, str]
    pinned: bool
    reference: SpeedFacts
    saturates: dict[str, bool]


def describe(threads: int) -> MachineFacts:
    """The machine as it goes into results; ``threads``: number used for latency."""
    facts: MachineFacts = {"cpu": cpu()}
    if hidden := kernels_of()["hidden"]:
        facts["hidden"] = hidden
    if nvidia.why_no_gpu() is None:
        facts["gpu"] = _gpu_facts(nvidia.gpu())
    return {
        **facts,
        "threads": threads,
        "memory_gb": round(memory_mb() / 1024, 1),
        "system": platform.platform(terse=True),
        "versions": versions(),
    }


def _gpu_facts(gpu: nvidia.Gpu) -> GpuFacts:
    return {
        "name": gpu.name,
        "capability": gpu.capability,
        "driver": gpu.driver,
        "cuda": gpu.cuda,
        "memory_mb": gpu.memory_mb,
    }
