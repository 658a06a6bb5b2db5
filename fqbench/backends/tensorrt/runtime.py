"""What TensorRT and TensorRT for RTX support, and how their engines are prepared."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from importlib import metadata
from pathlib import Path

from fqbench.artifacts import default_root
from fqbench.backends import cuda
from fqbench.backends.base import Runner, unknown
from fqbench.backends.nvidia import Gpu, NoGpu, gpu, newer_driver
from fqbench.backends.tensorrt.library import TENSORRT, TENSORRT_RTX, Library
from fqbench.errors import StepError

OLDEST = 10
"""Major version of TensorRT: the oldest whose engines are run by the calls made here."""

OLDEST_CUDA = 12
"""Major version of CUDA that the oldest package of either library is for."""


def import_runtime() -> None:
    """Import TensorRT."""
    TENSORRT.load()


def import_runtime_for_rtx() -> None:
    """Import TensorRT for RTX."""
    TENSORRT_RTX.load()


class _Runtime(ABC):
    """What both have in common. See ``Runtime``."""

    library: Library

    def supports(self, device: str, precision: str) -> str | None:
        """See ``Runtime.supports``."""
        if device != "gpu":
            return f"{self.library.name} runs on NVIDIA GPUs only"
        if precision == "int8_file":
            return f"{self.library.name} runs no INT8 file made for another backend"
        if (reason := unknown(precision)) is not None:
            return reason
        try:
            here = gpu()
        except NoGpu as error:
            return str(error)
        return (
            not_installed(self.library, here)
            or self._too_old()
            or other_cuda(self.library, here)
            or self._other_gpu(here)
            or cuda.missing()
        )

    def prepare(self, folder: Path, *, device: str, precision: str, threads: int) -> Runner:
        """See ``Runtime.prepare``."""
        from fqbench.backends.tensorrt.binding import Names
        from fqbench.backends.tensorrt.engine import ENGINE, NAMES
        from fqbench.backends.tensorrt.inspect import int8_layers, read_types
        from fqbench.backends.tensorrt.session import Session

        # A stored engine is found by its key, so it is not built while it is there.
        again = f"delete the folder {folder}, and the next run builds it again"
        try:
            plan = (folder / ENGINE).read_bytes()
            told = json.loads((folder / NAMES).read_text())
        except OSError as error:
            raise StepError(
                f"the engine in {folder} cannot be read ({error.strerror}): {again}"
            ) from error
        names = Names(tuple(told["inputs"]), tuple(told["outputs"]))
        module = self.library.load()
        return Session(
            module,
            self.library.name,
            plan,
            cuda.open_cuda(),
            names=names,
            layers=lambda: len(int8_layers(read_types(folder))),
            kernels=self._kernels(plan),
            again=again,
        )

    def _kernels(self, plan: bytes) -> Path | None:
        """Where compiled kernels of the engine are kept: its own folder does not change."""
        if not self.library.ahead:
            return None
        return default_root() / "kernels" / f"{hashlib.sha256(plan).hexdigest()}.cache"

    def _too_old(self) -> str | None:
        """Why the installed version is not used; None where it is."""
        return None

    @abstractmethod
    def _other_gpu(self, here: Gpu) -> str | None:
        """Why the library does not run on ``here``; None where it does."""


class TensorRT(_Runtime):
    """TensorRT 10 and later."""

    library = TENSORRT

    def _too_old(self) -> str | None:
        version = self.library.version()
        if version is None or int(re.split(r"\D", version)[0] or 0) >= OLDEST:
            return None
        return (
            f"TensorRT {version} is installed, and fqbench needs {OLDEST} or later: "
            f"pip install --upgrade {self.library.install!r}"
        )

    def _other_gpu(self, here: Gpu) -> str | None:
        if here.capability >= (7, 5):
            return None
        return (
            f"the {here.name} has compute capability {shown(here.capability)}, and TensorRT needs "
            "7.5 (Turing) or later"
        )


class TensorRTForRTX(_Runtime):
    """TensorRT for RTX."""

    library = TENSORRT_RTX

    capabilities = ((7, 5), (8, 6), (8, 9), (12, 0), (12, 1))
    """Of the RTX GPUs that NVIDIA documents it for; those of data centres lie between."""

    def _other_gpu(self, here: Gpu) -> str | None:
        if here.capability in self.capabilities or here.capability > self.capabilities[-1]:
            return None
        known = ", ".join(map(shown, self.capabilities))
        return (
            f"the {here.name} has compute capability {shown(here.capability)}, and NVIDIA "
            f"documents TensorRT for RTX for RTX GPUs, of {known}; TensorRT may run on it"
        )


def not_installed(library: Library, here: Gpu) -> str | None:
    """What to install for the CUDA of this GPU's driver; None where the library is there."""
    why = library.missing()
    if why is None or here.cuda[0] > OLDEST_CUDA:
        return why
    if here.cuda[0] < OLDEST_CUDA:
        return f"{library.name} is not installed, and {newer_driver(here, OLDEST_CUDA)}"
    return f"{library.name} is not installed: pip install {_package(library, here.cuda[0])}"


def other_cuda(library: Library, here: Gpu) -> str | None:
    """Why the driver cannot run the CUDA that the library was built for; None where it can."""
    built = built_for(library)
    if built is None or built <= here.cuda[0]:
        return None
    instead = ""
    if here.cuda[0] >= OLDEST_CUDA:
        instead = f", or pip install {_package(library, here.cuda[0])} in place of it"
    newer = newer_driver(here, built)
    return f"{library.name} is installed for CUDA {built}, and {newer}{instead}"


def built_for(library: Library) -> int | None:
    """Major version of CUDA that the installed package is for; None where it does not tell."""
    for distribution in library.distributions:
        named = re.search(r"_cu(\d+)", distribution)
        if named is None:
            continue
        try:
            metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
        return int(named[1])
    return None


def _package(library: Library, major: int) -> str:
    """The extra of fqbench for a CUDA that is not the newest."""
    return repr(f"{library.install.removesuffix(']')}-cu{major}]")


def shown(version: tuple[int, int]) -> str:
    """A version as it is written."""
    return f"{version[0]}.{version[1]}"
