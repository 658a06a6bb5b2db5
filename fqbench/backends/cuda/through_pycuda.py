"""CUDA through pycuda."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fqbench.backends.cuda.base import Bytes, CudaError, OutOfMemory

NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING of cuda.h, which pycuda does not name."""


def records_graphs(driver: Any) -> bool:
    """Whether this pycuda records graphs; releases lack that, its main branch has it."""
    return hasattr(driver.Stream, "begin_capture")


class PyCuda:
    """See ``Cuda``. ``driver`` is the module pycuda.driver.

    pycuda's objects give back what they hold when nothing refers to them.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._memory: dict[int, Any] = {}
        self._streams: dict[int, Any] = {}
        self._call(driver.init)
        device = self._call(driver.Device, 0)
        # TensorRT uses this context, too.
        self._context = self._call(device.retain_primary_context)
        self._call(self._context.push)

    @property
    def graphs(self) -> bool:
        """See ``Cuda.graphs``."""
        return records_graphs(self._driver)

    def allocate(self, size: int) -> int:
        """See ``Cuda.allocate``."""
        memory = self._call(self._driver.mem_alloc, size)
        self._memory[int(memory)] = memory
        return int(memory)

    def free(self, address: int) -> None:
        """See ``Cuda.free``."""
        self._call(self._memory.pop(address).free)

    def pin(self, size: int) -> Bytes:
        """See ``Cuda.pin``."""
        memory: Bytes = self._call(self._driver.pagelocked_empty, size, np.uint8)
        return memory

    def unpin(self, memory: Bytes) -> None:
        """See ``Cuda.unpin``."""
        holder: Any = memory.base
        self._call(holder.free)

    def stream(self) -> int:
        """See ``Cuda.stream``."""
        stream = self._call(self._driver.Stream, NON_BLOCKING)
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    def destroy_stream(self, stream: int) -> None:
        """See ``Cuda.destroy_stream``."""
        del self._streams[stream]

    def synchronize(self, stream: int) -> None:
        """See ``Cuda.synchronize``."""
        self._call(self._streams[stream].synchronize)

    def to_device(self, address: int, memory: Bytes, stream: int) -> None:
        """See ``Cuda.to_device``."""
        self._call(self._driver.memcpy_htod_async, address, memory, self._streams[stream])

    def to_host(self, memory: Bytes, address: int, stream: int) -> None:
        """See ``Cuda.to_host``."""
        self._call(self._driver.memcpy_dtoh_async, memory, address, self._streams[stream])

    def event(self) -> Any:
        """See ``Cuda.event``."""
        return self._call(self._driver.Event)

    def destroy_event(self, event: Any) -> None:
        """See ``Cuda.destroy_event``: it goes with its last reference."""

    def record(self, event: Any, stream: int) -> None:
        """See ``Cuda.record``."""
        self._call(event.record, self._streams[stream])

    def elapsed_ms(self, start: Any, end: Any) -> float:
        """See ``Cuda.elapsed_ms``."""
        return float(self._call(start.time_till, end))

    def begin_capture(self, stream: int) -> None:
        """See ``Cuda.begin_capture``."""
        self._call(self._streams[stream].begin_capture, self._driver.capture_mode.THREAD_LOCAL)

    def end_capture(self, stream: int) -> Any:
        """See ``Cuda.end_capture``."""
        return self._call(self._call(self._streams[stream].end_capture).instantiate)

    def launch(self, graph: Any, stream: int) -> None:
        """See ``Cuda.launch``."""
        self._call(graph.launch, self._streams[stream])

    def destroy_graph(self, graph: Any) -> None:
        """See ``Cuda.destroy_graph``: it goes with its last reference."""

    def close(self) -> None:
        """See ``Cuda.close``."""
        self._call(self._context.pop)
        self._call(self._context.detach)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except self._driver.Error as error:
            # Such as "cuMemAlloc failed: out of memory".
            call, _, code = str(error).partition(" failed: ")
            kind = OutOfMemory if isinstance(error, self._driver.MemoryError) else CudaError
            raise kind(code or "failed", call) from error
