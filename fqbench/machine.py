"""What the figures were measured on."""

from __future__ import annotations

import platform
from collections import ChainMap
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache

from packaging.utils import canonicalize_name

from fqbench import __version__
from fqbench.backends import backend, backends, nvidia
from fqbench.environments import HERE, Environment, find
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
def versions(environment: str = HERE) -> dict[str, str]:
    """Version of each library in an environment that shapes results.

    A library that is not installed there is left out; of an environment that is missing, all are.
    """
    there = find(environment)
    if not isinstance(there, Environment):
        return {"fqbench": __version__}
    found = {"fqbench": __version__, "python": there.versions["python"]}
    packages: dict[str, tuple[str, ...]] = {name: (name,) for name in LIBRARIES}
    for known in backends().values():
        packages.update(known.distributions)
    for name, distributions in packages.items():
        installed = (there.versions.get(canonicalize_name(each)) for each in distributions)
        version = next((each for each in installed if each is not None), None)
        if version is not None:
            found[name] = version
    return found


def environments(further: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """Versions in each environment, other than this one, that a backend runs in and that is there.

    By its name. ``further``: backends beside those that are registered, such as versions of them.
    """
    used = dict.fromkeys([*backends(), *further])
    names = dict.fromkeys(backend(name).environment for name in used)
    found = {name: there for name in names if isinstance(there := find(name), Environment)}
    return {name: versions(name) for name, there in found.items() if there.where != HERE}


def describe(threads: int, further: Iterable[str] = ()) -> dict[str, object]:
    """The machine as it goes into results; ``threads``: number used for latency.

    ``further``: see ``environments``.
    """
    gpu = {} if nvidia.why_no_gpu() is not None else {"gpu": asdict(nvidia.gpu())}
    hidden, others = kernels_of()["hidden"], environments(further)
    return {
        "cpu": cpu(),
        **({"hidden": hidden} if hidden else {}),
        **gpu,
        "threads": threads,
        "memory_gb": round(memory_mb() / 1024, 1),
        "system": platform.platform(terse=True),
        # What is not here is in one of the others, in that of a backend before its versions'.
        "versions": dict(ChainMap(versions(), *others.values())),
        **({"environments": others} if others else {}),
    }
