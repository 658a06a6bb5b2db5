"""A stand-in for CUDA: it counts, keeps its "GPU's" memory in NumPy, and fails on command.

It tells whether what calls CUDA gives back all that it got, and what it says of an error. It says
nothing about a GPU: no figure comes from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from fqbench.backends.cuda import CudaError, OutOfMemory

GIVES_BACK = ("free", "unpin", "destroy_stream", "destroy_event", "destroy_graph", "close")


class CudaStandIn:
    """See ``fqbench.backends.cuda.Cuda``.

    ``fail_at``: the call, counted from 0, that fails with ``error``, or the last of the calls of a
    kind (``("allocate", 2)`` is the third). ``sticky``: every later call fails with it, too.
    """

    def __init__(
        self,
        fail_at: int | tuple[str, int] | None = None,
        error: CudaError | None = None,
        *,
        sticky: bool = False,
        graphs: bool = True,
    ) -> None:
        self.graphs = graphs
        self._fail_at, self._sticky, self._broken = fail_at, sticky, False
        self._error = error or CudaError("CUDA_ERROR_ILLEGAL_ADDRESS", "cuStreamSynchronize")
        self.calls: Counter[str] = Counter()
        self.memory: dict[int, np.ndarray] = {}
        self.pinned: dict[int, np.ndarray] = {}
        self.streams: set[int] = set()
        self.events: dict[int, float | None] = {}
        self.graph_work: dict[int, list[Callable[[], None]]] = {}
        self.recording: list[Callable[[], None]] | None = None
        self.open = True
        self._next, self._clock = 0x1000, 0.0

    @property
    def held(self) -> int:
        """What was got and not given back."""
        parts = (self.memory, self.pinned, self.streams, self.events, self.graph_work)
        return sum(map(len, parts)) + self.open

    def allocate(self, size: int) -> int:
        self._called("allocate")
        address = self._new()
        self.memory[address] = np.full(size, 0xAB, np.uint8)
        return address

    def free(self, address: int) -> None:
        del self.memory[address]
        self._called("free")

    def pin(self, size: int) -> np.ndarray:
        self._called("pin")
        memory = np.full(size, 0xCD, np.uint8)
        self.pinned[id(memory)] = memory
        return memory

    def unpin(self, memory: np.ndarray) -> None:
        del self.pinned[id(memory)]
        memory[:] = 0xEE
        self._called("unpin")

    def stream(self) -> int:
        self._called("stream")
        stream = self._new()
        self.streams.add(stream)
        return stream

    def destroy_stream(self, stream: int) -> None:
        self.streams.remove(stream)
        self._called("destroy_stream")

    def synchronize(self, stream: int) -> None:
        self._called("synchronize", stream)
        assert self.recording is None, "a stream that records cannot be waited for"

    def to_device(self, address: int, memory: np.ndarray, stream: int) -> None:
        self._called("to_device", stream)
        self._clock += 1.0
        self.memory[address][: memory.nbytes] = memory

    def to_host(self, memory: np.ndarray, address: int, stream: int) -> None:
        self._called("to_host", stream)
        self._clock += 4.0
        memory[:] = self.memory[address][: memory.nbytes]

    def event(self) -> Any:
        self._called("event")
        event = self._new()
        self.events[event] = None
        return event

    def destroy_event(self, event: Any) -> None:
        del self.events[event]
        self._called("destroy_event")

    def record(self, event: Any, stream: int) -> None:
        self._called("record", stream)
        self.events[event] = self._clock

    def elapsed_ms(self, start: Any, end: Any) -> float:
        self._called("elapsed_ms")
        return self.events[end] - self.events[start]

    def begin_capture(self, stream: int) -> None:
        self._called("begin_capture", stream)
        self.recording = []

    def end_capture(self, stream: int) -> Any:
        work, self.recording = self.recording, None
        self._called("end_capture", stream)
        graph = self._new()
        self.graph_work[graph] = work
        return graph

    def launch(self, graph: Any, stream: int) -> None:
        self._called("launch", stream)
        for work in self.graph_work[graph]:
            work()

    def destroy_graph(self, graph: Any) -> None:
        del self.graph_work[graph]
        self._called("destroy_graph")

    def close(self) -> None:
        assert self.open, "closed twice"
        self.open = False
        self._called("close")

    def compute(self, work: Callable[[], None], stream: int) -> None:
        """Queue ``work``, as a kernel: 2 ms of the clock."""
        assert stream in self.streams

        def timed() -> None:
            self._clock += 2.0
            work()

        if self.recording is None:
            timed()
        else:
            self.recording.append(timed)

    def _new(self) -> int:
        self._next += 0x1000
        return self._next

    def _called(self, kind: str, stream: int | None = None) -> None:
        assert stream is None or stream in self.streams, "of a stream that is not there"
        total, nth = self.calls.total(), self.calls[kind]
        self.calls[kind] += 1
        if self._broken or self._fail_at in (total, (kind, nth)):
            self._broken = self._sticky
            raise self._error


def out_of_memory(call: str = "cuMemAlloc") -> OutOfMemory:
    return OutOfMemory("CUDA_ERROR_OUT_OF_MEMORY", call)
