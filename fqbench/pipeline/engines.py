"""Engines of ONNX artifacts, for the GPU of this machine or for one that is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fqbench.artifacts import Artifact
from fqbench.backends.tensorrt.library import LIBRARIES, Capability
from fqbench.errors import StepError
from fqbench.pipeline.step import Steps


@dataclass(frozen=True)
class Engines:
    """Builds them by the steps of one model."""

    steps: Steps

    def here(self, backend: str, source: Artifact) -> Artifact:
        """The engine of ``source`` for the GPU of this machine. Raises NoGpu where there is none."""
        from fqbench.backends.nvidia import gpu

        found = gpu()
        # Full TensorRT measures on the GPU what it chooses, so all that its times depend on counts.
        key = {"gpu": [found.name, list(found.capability), found.driver]}
        target = found.capability if LIBRARIES[backend].ahead else None
        return self._made(backend, source, key, target)

    def ahead(self, backend: str, source: Artifact, capability: Capability) -> Artifact:
        """The engine of ``source`` for any GPU of ``capability``. Raises StepError."""
        return self._made(backend, source, {"capability": list(capability)}, capability)

    def _made(
        self, backend: str, source: Artifact, gpu: dict[str, Any], target: Capability | None
    ) -> Artifact:
        library = LIBRARIES[backend]
        missing = library.missing()
        if missing is not None:
            raise StepError(missing)
        made_by = {"library": library.name, "library_version": library.version()}
        cache = self.steps.store.root / "timing_cache" / f"{backend}.cache"
        return self.steps.make(
            "engine",
            {"model": source.key, **made_by, **gpu},
            {
                "model": str(source.path),
                "backend": backend,
                "target": None if target is None else list(target),
                "timing_cache": str(cache),
            },
            ("onnx",),
        )
