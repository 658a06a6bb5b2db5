"""TensorRT on a GPU: listed, so that its cells carry a reason; this version does not run it."""

from __future__ import annotations

from pathlib import Path

from fqbench.backends.base import Runner
from fqbench.errors import StepError

NOT_YET = "this version of fqbench does not run TensorRT yet"


class TensorRT:
    """States why a TensorRT cell cannot run."""

    def supports(self, device: str, precision: str) -> str | None:
        """See ``Runtime.supports``; always a reason."""
        if device != "gpu":
            return "TensorRT runs on NVIDIA GPUs only"
        return NOT_YET

    def prepare(self, folder: Path, *, precision: str, threads: int) -> Runner:
        """See ``Runtime.prepare``."""
        raise StepError(NOT_YET)
