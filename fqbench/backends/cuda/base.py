"""What fqbench needs of CUDA."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


class CudaError(Exception):
    """A call of CUDA failed: ``code`` as CUDA or what wraps it names it, ``call`` the function."""

    def __init__(self, code: str, call: str) -> None:
        super().__init__(f"{call}: {code}")
        self.code, self.call = code, call


class OutOfMemory(CudaError):  # noqa: N818
    """There is not enough memory: of the GPU, or of the host to pin."""


class Cuda(Protocol):
    """CUDA on one GPU, in the thread that opened it.

    Memory of the GPU and streams are numbers, as TensorRT takes them. Every method raises
    CudaError where CUDA refuses; a call may also tell an error of work queued before it.
    """

    @property
    def graphs(self) -> bool:
        """Whether work can be captured as a graph."""
        ...

    def allocate(self, size: int) -> int:
        """Address of ``size`` bytes of the GPU's memory. Raises OutOfMemory."""
        ...

    def free(self, address: int) -> None:
        """Give back what ``allocate`` gave."""
        ...

    def pin(self, size: int) -> Bytes:
        """``size`` bytes of the host's memory that are never swapped. Raises OutOfMemory."""
        ...

    def unpin(self, memory: Bytes) -> None:
        """Give back what ``pin`` gave; neither it nor a view of it may be used any more."""
        ...

    def stream(self) -> int:
        """A new stream, which does not wait for the default one."""
        ...

    def destroy_stream(self, stream: int) -> None:
        """Give back a stream."""
        ...

    def synchronize(self, stream: int) -> None:
        """Wait until all that is queued in ``stream`` is done."""
        ...

    def to_device(self, address: int, memory: Bytes, stream: int) -> None:
        """Queue a copy of pinned ``memory`` to the GPU."""
        ...

    def to_host(self, memory: Bytes, address: int, stream: int) -> None:
        """Queue a copy from the GPU into pinned ``memory``."""
        ...

    def event(self) -> Any:
        """A new event, which tells the time."""
        ...

    def destroy_event(self, event: Any) -> None:
        """Give back an event."""
        ...

    def record(self, event: Any, stream: int) -> None:
        """Queue the event."""
        ...

    def elapsed_ms(self, start: Any, end: Any) -> float:
        """Milliseconds between two recorded events, which are over."""
        ...

    def begin_capture(self, stream: int) -> None:
        """From now on, what this thread queues in ``stream`` is not run but recorded."""
        ...

    def end_capture(self, stream: int) -> Any:
        """End recording; the recorded work as a graph that can be launched."""
        ...

    def launch(self, graph: Any, stream: int) -> None:
        """Queue a graph."""
        ...

    def destroy_graph(self, graph: Any) -> None:
        """Give back a graph."""
        ...

    def close(self) -> None:
        """Give back the GPU. Everything else must have been given back before."""
        ...
