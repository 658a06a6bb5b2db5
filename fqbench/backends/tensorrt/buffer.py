"""Memory of one tensor: on the GPU, and pinned on the host to copy from and to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fqbench.backends.cuda import Cuda, CudaError, OutOfMemory
from fqbench.errors import StepError


class Buffer:
    """``size`` bytes twice, until ``close``. Raises StepError where there is not enough memory."""

    def __init__(self, cuda: Cuda, size: int) -> None:
        self._cuda, self.size = cuda, size
        try:
            self.device = cuda.allocate(size)
        except OutOfMemory as error:
            raise StepError(
                f"{_mib(size)} more of the GPU's memory are not free ({error}): end what else uses "
                "the GPU, or take a smaller batch"
            ) from error
        try:
            self.host = cuda.pin(size)
        except CudaError as error:
            quietly(cuda.free, self.device)
            if not isinstance(error, OutOfMemory):
                raise
            raise StepError(
                f"{_mib(size)} more of the host's memory cannot be pinned ({error}): free memory, "
                "raise the limit of locked memory (ulimit -l), or take a smaller batch"
            ) from error

    def close(self) -> None:
        """Give the memory back."""
        quietly(self._cuda.unpin, self.host)
        quietly(self._cuda.free, self.device)


def quietly(release: Callable[..., object], *arguments: Any) -> None:
    """Give something back; where CUDA is broken, that fails, and nothing can be done about it."""
    with suppress(CudaError):
        release(*arguments)


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
