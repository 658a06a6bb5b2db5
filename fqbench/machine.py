"""What the figures were measured on."""

from __future__ import annotations

import platform
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib import metadata

from fqbench import __version__
from fqbench.backends import backends, nvidia
from fqbench.graph.executor import LIBRARY
from fqbench.hardware import cpu, kernels_of, memory_mb

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
