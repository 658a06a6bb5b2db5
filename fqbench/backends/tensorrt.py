"""TensorRT on a GPU: listed, so that its cells carry a reason; this version does not run it."""

from __future__ import annotations

from pathlib import Path

from fqbench.backends.base import Runner, missing
from fqbench.errors import StepError


class TensorRT:
    """States why a TensorRT cell cannot run."""

    def supports(self, device: str, precision: str) -> str | None:
        """See ``Runtime.supports``; always a reason."""
        if device != "gpu":
            return "TensorRT runs on NVIDIA GPUs only"
        return (
            missing("tensorrt", "tensorrt") or "this version of fqbench does not run TensorRT yet"
        )

    def prepare(self, folder: Path, *, precision: str, threads: int) -> Runner:
        """See ``Runtime.prepare``."""
        raise StepError("this version of fqbench does not run TensorRT yet")
