"""What the figures were measured on."""

from __future__ import annotations

import platform
from collections import ChainMap
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TypedDict

from packaging.utils import canonicalize_name

from fqbench import __version__
from fqbench.backends import backend, backends, nvidia
from fqbench.environments import HERE, Environment, find
from fqbench.environments.recipe import target
from fqbench.graph.executor import LIBRARY
from fqbench.hardware import CpuFacts, cpu, kernels_of, memory_mb, settings

LIBRARIES = (
    LIBRARY,
    "paddlepaddle",
    "paddleslim",
    "paddle2onnx",
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


def version_of(library: str, environment: str = HERE) -> str | None:
    """Version in an environment of a library, or of any distribution; None where it is missing."""
    there, known = find(environment), versions(environment)
    if library in known or not isinstance(there, Environment):
        return known.get(library)
    return there.versions.get(canonicalize_name(library))


def toolkits(made_in: Iterable[str]) -> dict[str, str]:
    """Versions of what the environments of methods are for, of those that are there."""
    for_them = [(name, target(name).recipe.distribution) for name in dict.fromkeys(made_in)]
    found = {library: version_of(library, name) for name, library in for_them}
    return {library: version for library, version in found.items() if version is not None}


def environments(further: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """Versions in each environment, other than this one, that a backend runs in and that is there.

    By its name. ``further``: backends beside those that are registered, such as versions of them.
    """
    used = dict.fromkeys([*backends(), *further])
    names = dict.fromkeys(backend(name).environment for name in used)
    found = {name: there for name in names if isinstance(there := find(name), Environment)}
    return {name: versions(name) for name, there in found.items() if there.where != HERE}


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

    ``hidden``: environment variables that hide instruction sets from runtimes. ``environments``:
    see the function of that name. ``threads``: number used for latency. ``pinned``: whether every
    process was bound to a core. ``reference``: what the machine did meanwhile. ``saturates``: by
    backend, whether 8-bit products saturate here. ``toolkits``: versions of others
    that made models. ``settings``: how the CPU's clock is governed, see ``hardware.settings``.
    """

    cpu: CpuFacts
    hidden: dict[str, str]
    gpu: GpuFacts
    threads: int
    memory_gb: float
    system: str
    versions: dict[str, str]
    environments: dict[str, dict[str, str]]
    pinned: bool
    reference: SpeedFacts
    saturates: dict[str, bool]
    toolkits: dict[str, str]
    settings: dict[str, str]


def describe(threads: int, further: Iterable[str] = ()) -> MachineFacts:
    """The machine as it goes into results; ``threads``: number used for latency.

    ``further``: see ``environments``.
    """
    others = environments(further)
    facts: MachineFacts = {"cpu": cpu()}
    if hidden := kernels_of()["hidden"]:
        facts["hidden"] = hidden
    if nvidia.why_no_gpu() is None:
        facts["gpu"] = _gpu_facts(nvidia.gpu())
    if others:
        facts["environments"] = others
    if governed := settings():
        facts["settings"] = governed
    return {
        **facts,
        "threads": threads,
        "memory_gb": round(memory_mb() / 1024, 1),
        "system": platform.platform(terse=True),
        # What is not here is in one of the others, in that of a backend before its versions'.
        "versions": dict(ChainMap(versions(), *others.values())),
    }


def _gpu_facts(gpu: nvidia.Gpu) -> GpuFacts:
    return {
        "name": gpu.name,
        "capability": gpu.capability,
        "driver": gpu.driver,
        "cuda": gpu.cuda,
        "memory_mb": gpu.memory_mb,
    }
