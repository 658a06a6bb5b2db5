"""CUDA through cuda-python: the driver's functions, as CUDA names them."""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

import numpy as np

from fqbench.backends.cuda.base import Bytes, CudaError, OutOfMemory

MODULES = ("cuda.bindings.driver", "cuda.cuda")
"""Where the functions are: the second in releases before 12.6."""

FUNCTIONS = (
    "cuInit",
    "cuDeviceGet",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease",
    "cuCtxSetCurrent",
    "cuMemAlloc",
    "cuMemFree",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuMemcpyHtoDAsync",
    "cuMemcpyDtoHAsync",
    "cuStreamCreate",
    "cuStreamDestroy",
    "cuStreamSynchronize",
    "cuStreamBeginCapture",
    "cuStreamEndCapture",
    "cuEventCreate",
    "cuEventDestroy",
    "cuEventRecord",
    "cuEventElapsedTime",
    "cuGraphInstantiate",
    "cuGraphDestroy",
    "cuGraphLaunch",
    "cuGraphExecDestroy",
)
"""All that is called."""


def bindings() -> Any:
    """The module of the driver's functions. Raises ImportError."""
    for name in MODULES[:-1]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    return importlib.import_module(MODULES[-1])


class CudaPython:
    """See ``Cuda``. ``driver`` is what ``bindings`` gives."""

    graphs = True

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._call("cuInit", 0)
        self._device = self._call("cuDeviceGet", 0)
        # TensorRT uses this context, too.
        context = self._call("cuDevicePrimaryCtxRetain", self._device)
        self._call("cuCtxSetCurrent", context)

    def allocate(self, size: int) -> int:
        """See ``Cuda.allocate``."""
        return int(self._call("cuMemAlloc", size))

    def free(self, address: int) -> None:
        """See ``Cuda.free``."""
        self._call("cuMemFree", address)

    def pin(self, size: int) -> Bytes:
        """See ``Cuda.pin``."""
        address = int(self._call("cuMemHostAlloc", size, 0))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def unpin(self, memory: Bytes) -> None:
        """See ``Cuda.unpin``."""
        self._call("cuMemFreeHost", memory.ctypes.data)

    def stream(self) -> int:
        """See ``Cuda.stream``."""
        flag = self._driver.CUstream_flags.CU_STREAM_NON_BLOCKING
        return int(self._call("cuStreamCreate", int(flag)))

    def destroy_stream(self, stream: int) -> None:
        """See ``Cuda.destroy_stream``."""
        self._call("cuStreamDestroy", stream)

    def synchronize(self, stream: int) -> None:
        """See ``Cuda.synchronize``."""
        self._call("cuStreamSynchronize", stream)

    def to_device(self, address: int, memory: Bytes, stream: int) -> None:
        """See ``Cuda.to_device``."""
        self._call("cuMemcpyHtoDAsync", address, memory.ctypes.data, memory.nbytes, stream)

    def to_host(self, memory: Bytes, address: int, stream: int) -> None:
        """See ``Cuda.to_host``."""
        self._call("cuMemcpyDtoHAsync", memory.ctypes.data, address, memory.nbytes, stream)

    def event(self) -> Any:
        """See ``Cuda.event``."""
        return self._call("cuEventCreate", int(self._driver.CUevent_flags.CU_EVENT_DEFAULT))

    def destroy_event(self, event: Any) -> None:
        """See ``Cuda.destroy_event``."""
        self._call("cuEventDestroy", event)

    def record(self, event: Any, stream: int) -> None:
        """See ``Cuda.record``."""
        self._call("cuEventRecord", event, stream)

    def elapsed_ms(self, start: Any, end: Any) -> float:
        """See ``Cuda.elapsed_ms``."""
        return float(self._call("cuEventElapsedTime", start, end))

    def begin_capture(self, stream: int) -> None:
        """See ``Cuda.begin_capture``."""
        modes = self._driver.CUstreamCaptureMode
        self._call("cuStreamBeginCapture", stream, modes.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)

    def end_capture(self, stream: int) -> Any:
        """See ``Cuda.end_capture``."""
        recorded = self._call("cuStreamEndCapture", stream)
        try:
            return self._call("cuGraphInstantiate", recorded, 0)
        finally:
            self._call("cuGraphDestroy", recorded)

    def launch(self, graph: Any, stream: int) -> None:
        """See ``Cuda.launch``."""
        self._call("cuGraphLaunch", graph, stream)

    def destroy_graph(self, graph: Any) -> None:
        """See ``Cuda.destroy_graph``."""
        self._call("cuGraphExecDestroy", graph)

    def close(self) -> None:
        """See ``Cuda.close``."""
        self._call("cuDevicePrimaryCtxRelease", self._device)

    def _call(self, name: str, *arguments: Any) -> Any:
        """What a function gives beside its status: None, or the one value."""
        try:
            status, *values = getattr(self._driver, name)(*arguments)
        except RuntimeError as error:
            # Of the bindings: the driver's library, or a function that this driver lacks.
            raise CudaError(" ".join(str(error).split()).rstrip("."), name) from error
        if status == self._driver.CUresult.CUDA_SUCCESS:
            return values[0] if values else None
        code = getattr(status, "name", str(status))
        short = status == self._driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY
        raise (OutOfMemory if short else CudaError)(code, name)
