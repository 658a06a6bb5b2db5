"""The two libraries that build and run engines through one API: TensorRT, and TensorRT for RTX."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from fqbench.backends.nvidia import count_as_nvml
from fqbench.backends.record import Capability
from fqbench.errors import StepError


@dataclass(frozen=True)
class Library:
    """One of the libraries.

    ``modules``: names that it is imported by, ``distributions``: names that it is installed by,
    the first that is there counts. ``ahead``: whether it builds engines for a GPU that is not
    there. ``install``: what to tell pip.
    """

    name: str
    modules: tuple[str, ...]
    distributions: tuple[str, ...]
    ahead: bool
    install: str

    def missing(self) -> str | None:
        """Why the library cannot be imported, and what to do; None where it is installed."""
        if self._module() is not None:
            return None
        return f"{self.name} is not installed: pip install {self.install!r}"

    def version(self) -> str | None:
        """Version of what is installed, found without importing it; None where nothing is."""
        for distribution in self.distributions:
            try:
                return metadata.version(distribution)
            except metadata.PackageNotFoundError:
                continue
        return None

    def load(self) -> Any:
        """The module. Imports native code: call it in a child process. Raises StepError.

        Its GPU is that of ``nvidia.gpu``, for which this is to be called before CUDA is used.
        """
        name = self._module()
        if name is None:
            raise StepError(str(self.missing()))
        count_as_nvml()
        try:
            return importlib.import_module(name)
        except (ImportError, OSError) as error:
            raise StepError(
                f"{self.name} is installed but cannot be imported ({' '.join(str(error).split())}):"
                f" install it anew by pip install {self.install!r}"
            ) from error

    def write_engine(
        self, model: Path, folder: Path, *, target: Capability | None, timing_cache: Path | None
    ) -> None:
        """See ``fqbench.backends.record.EngineLibrary``."""
        from fqbench.backends.tensorrt.engine import write_engine

        write_engine(self, model, folder, target, timing_cache)

    def _module(self) -> str | None:
        return next((m for m in self.modules if importlib.util.find_spec(m) is not None), None)


TENSORRT = Library(
    name="TensorRT",
    modules=("tensorrt",),
    distributions=(
        "tensorrt",
        *(f"tensorrt_cu{cuda}{part}" for cuda in (13, 12) for part in ("", "_bindings")),
    ),
    ahead=False,
    install="fqbench[tensorrt]",
)

TENSORRT_RTX = Library(
    name="TensorRT for RTX",
    # NVIDIA's archive has a wheel of the first name, the registry one of the second.
    modules=("tensorrt_rtx", "tensorrt_rtx_bindings"),
    distributions=(
        "tensorrt_rtx",
        *(f"tensorrt_rtx_cu{cuda}_bindings" for cuda in (13, 12)),
    ),
    ahead=True,
    install="fqbench[tensorrt-rtx]",
)

LIBRARIES = {"tensorrt": TENSORRT, "tensorrt_rtx": TENSORRT_RTX}
"""By the backend that uses it."""
