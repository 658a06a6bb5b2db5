"""Which package CUDA is called through: pycuda, or cuda-python.

It is cuda-python where pycuda is not installed, or is a release, which records no graphs.
"""

from __future__ import annotations

import importlib
import importlib.util
from importlib import metadata

from fqbench.backends.cuda.base import Cuda, CudaError
from fqbench.backends.nvidia import count_as_nvml
from fqbench.errors import StepError

INSTALL = (
    "CUDA is called through pycuda or cuda-python, and neither is installed: pip install "
    "cuda-python (pycuda must be compiled, with the CUDA toolkit)"
)
CUDA_PYTHON = ("cuda-bindings", "cuda-python")
"""Distributions that hold the bindings: the older ones of cuda-python hold them themselves."""


def missing() -> str | None:
    """What to install so that CUDA can be called; None where it can. Imports nothing."""
    return None if _has_pycuda() or _has_cuda_python() else INSTALL


def open_cuda() -> Cuda:
    """CUDA on the first visible GPU. Raises StepError where it cannot be used, and why."""
    count_as_nvml()
    try:
        if _has_pycuda():
            from fqbench.backends.cuda.through_pycuda import PyCuda, records_graphs

            driver = importlib.import_module("pycuda.driver")
            if records_graphs(driver) or not _has_cuda_python():
                return PyCuda(driver)
        if _has_cuda_python():
            from fqbench.backends.cuda.through_cuda_python import CudaPython, bindings

            return CudaPython(bindings())
    except CudaError as error:
        raise StepError(f"CUDA does not start ({error}): see what nvidia-smi says") from error
    except ImportError as error:
        raise StepError(
            f"the package that calls CUDA does not load ({error}): install it anew, for the "
            "driver of this machine"
        ) from error
    raise StepError(INSTALL)


def _has_pycuda() -> bool:
    return importlib.util.find_spec("pycuda") is not None


def _has_cuda_python() -> bool:
    for name in CUDA_PYTHON:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        return True
    return False
