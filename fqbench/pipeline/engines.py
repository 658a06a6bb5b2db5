"""Engines of ONNX artifacts, for the GPU of this machine or for one that is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fqbench.artifacts import Artifact, key_of
from fqbench.backends import backend as backend_of
from fqbench.backends.record import Capability, EngineLibrary
from fqbench.errors import StepError
from fqbench.pipeline.step import Steps


@dataclass(frozen=True)
class Engines:
    """Builds them by the steps of one model."""

    steps: Steps

    def here(self, backend: str, source: Artifact) -> Artifact:
        """The engine of ``source`` for the GPU of this machine.

        Raises NoGpu where there is none, and StepError.
        """
        from fqbench.backends.nvidia import gpu

        found = gpu()
        # Full TensorRT chooses kernels by their times on the GPU: what these depend on counts.
        key: dict[str, Any] = {"gpu": [found.name, list(found.capability), found.driver]}
        if _library(backend).ahead:
            return self._made(backend, source, key, {"target": list(found.capability)})
        cache = self.steps.store.root / "timing_cache" / f"{key_of('gpu', key)}.cache"
        return self._made(backend, source, key, {"timing_cache": str(cache)})

    def ahead(self, backend: str, source: Artifact, capability: Capability) -> Artifact:
        """The engine of ``source`` for any GPU of ``capability``. Raises StepError."""
        target = {"target": list(capability)}
        return self._made(backend, source, target, target)

    def _made(
        self, backend: str, source: Artifact, key: dict[str, Any], how: dict[str, Any]
    ) -> Artifact:
        library = _library(backend)
        missing = library.missing()
        if missing is not None:
            raise StepError(missing)
        made_by = {"library": library.name, "library_version": library.version()}
        return self.steps.make(
            "engine",
            {"model": source.key, **made_by, **key},
            {"model": str(source.path), "backend": backend, **how},
            ("onnx",),
        )


def _library(backend: str) -> EngineLibrary:
    """What builds engines for ``backend``. Raises StepError where nothing does."""
    found = backend_of(backend)
    if found.engine is None:
        raise StepError(f"{found.label} runs models without an engine")
    return found.engine
