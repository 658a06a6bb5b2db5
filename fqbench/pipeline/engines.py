"""Steps that build engines, for the GPU of this machine or for one that is not there."""

from __future__ import annotations

from pathlib import Path

from fqbench.artifacts import key_of
from fqbench.backends import backend as backend_of
from fqbench.backends import nvidia
from fqbench.backends.record import Capability, EngineLibrary
from fqbench.errors import StepError
from fqbench.jsonvalue import Json
from fqbench.pipeline.nodes import NodeFactory
from fqbench.steps import ArtifactNode, Needs, Step, Unkeyed


def engine_here(nodes: NodeFactory, backend: str, network: ArtifactNode, caches: Path) -> Step:
    """The engine of ``network`` for the GPU of this machine.

    ``caches``: a folder for kernel times that are used again. Raises NoGpu where there is none, and
    StepError where its library is missing.
    """
    found = nvidia.gpu()
    # Full TensorRT chooses kernels by their times on the GPU: what these depend on counts.
    gpu: list[Json] = [found.name, list(found.capability), found.driver]
    if _library(backend).ahead:
        return _engine(nodes, backend, network, gpu=gpu, target=list(found.capability))
    cache = caches / "timing_cache" / f"{key_of('gpu', {'gpu': gpu})}.cache"
    return _engine(nodes, backend, network, gpu=gpu, cache=cache)


def engine_for(
    nodes: NodeFactory, backend: str, network: ArtifactNode, capability: Capability
) -> Step:
    """The engine of ``network`` for any GPU of ``capability``. Raises StepError."""
    return _engine(nodes, backend, network, target=list(capability))


def _engine(
    nodes: NodeFactory,
    backend: str,
    network: ArtifactNode,
    *,
    gpu: Json = None,
    target: Json = None,
    cache: Path | None = None,
) -> Step:
    library = _library(backend)
    missing = library.missing()
    if missing is not None:
        raise StepError(missing)
    # Kernels are timed while an engine is built for the GPU that is here.
    timed = gpu is not None and target is None
    return nodes.step(
        "engine",
        {
            "model": network,
            "backend": Unkeyed(backend),
            "library": [library.name, library.version()],
            "gpu": gpu,
            "target": target,
            "timing_cache": Unkeyed(None if cache is None else str(cache)),
        },
        ("onnx",),
        needs=Needs(alone="always" if timed else "never", gpu=gpu is not None),
        of=(network, str(target)),
    )


def _library(backend: str) -> EngineLibrary:
    """What builds engines for ``backend``. Raises StepError where nothing does."""
    found = backend_of(backend)
    if found.engine is None:
        raise StepError(f"{found.label} runs models without an engine")
    return found.engine
