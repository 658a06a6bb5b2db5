"""What a backend's runtime does: it supports, prepares and runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from fqbench.precisions.own import BF16, RUNTIME_NAMES

Tensor = NDArray[Any]


@dataclass(frozen=True)
class Split:
    """Milliseconds of one inference on a GPU, as its own events tell them.

    They do not hold what the host does before and after: copies between its own memories, and
    waiting for the GPU. Without a CUDA graph ``compute`` holds the starting of kernels.
    """

    host_to_device: float
    compute: float
    device_to_host: float

    @property
    def total(self) -> float:
        """Their sum."""
        return self.host_to_device + self.compute + self.device_to_host


class Runner(Protocol):
    """A model ready to run."""

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Outputs, in the model's order, for inputs in the model's order."""
        ...

    def int8_convolutions(self) -> int:
        """How many convolutions the runtime itself, after its optimizations, runs in INT8."""
        ...


class Runtime(Protocol):
    """A runtime that may be installed here. Asking what it supports imports nothing heavy."""

    def supports(self, device: str, precision: str) -> str | None:
        """None where such a cell can run on this machine, else the reason why not."""
        ...

    def prepare(self, folder: Path, *, device: str, precision: str, threads: int) -> Runner:
        """Load the artifact in ``folder``. Imports native code: call it in a child process.

        Raises StepError where it cannot be loaded.
        """
        ...


NO_FP16 = "fqbench does not run this backend in FP16"
NO_BF16 = "fqbench does not run this backend in BF16"


def unknown(precision: str) -> str | None:
    """Reason to give for a precision that a backend of fqbench's own does not know, else None."""
    if precision == BF16.runtime_name:
        return NO_BF16
    if precision in RUNTIME_NAMES:
        return None
    return f"fqbench's own backends do not know the precision {precision}"


def missing(package: str, *, module: str, install: str) -> str | None:
    """Reason to give where ``package``, which has ``module``, is not installed, else None.

    ``install``: what to tell pip.
    """
    if importlib.util.find_spec(module) is not None:
        return None
    return f"the package {package} is not installed: pip install {install!r}"
