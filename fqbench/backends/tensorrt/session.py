"""An engine that runs: on one stream, with a CUDA graph where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fqbench.backends.base import Split, Tensor
from fqbench.backends.cuda import Cuda, CudaError
from fqbench.backends.tensorrt.binding import FREE, Binding, Names, Shape, bindings, quietly, shown
from fqbench.backends.tensorrt.kernels import Kernels
from fqbench.backends.tensorrt.loading import AGAIN, execution_context, load
from fqbench.backends.tensorrt.log import last_errors, listener
from fqbench.errors import StepError

EVENTS = 4
"""Before the copy to the GPU, and behind it, the computation and the copy back."""


class Session:
    """Runs one engine, in the thread that made it. See ``Runner``.

    ``module`` and ``name``: the library, and what messages call it. ``names``: the model's order of
    inputs and outputs; None: the engine's. ``layers`` counts convolutions in INT8. ``kernels``:
    the file to keep compiled ones in; None: they are not kept. ``again``: how to build the engine
    anew. ``graphs``: whether to use a CUDA graph where that is possible; ``no_graph`` tells why
    none is used, None where one is, or will be from the second inference on.

    ``cuda`` is given back with all else by ``close``, and where anything but the inputs is wrong: a
    GPU that failed in a process runs nothing more there. Raises StepError.
    """

    def __init__(
        self,
        module: Any,
        name: str,
        plan: bytes,
        cuda: Cuda,
        *,
        names: Names | None = None,
        layers: Callable[[], int] = lambda: 0,
        kernels: Path | None = None,
        again: str = AGAIN,
        graphs: bool = True,
    ) -> None:
        self._name, self._cuda, self._layers, self._again = name, cuda, layers, again
        self._log = listener(module)
        self._runtime = self._engine = self._context = self._graph = None
        self._kernels: Kernels | None = None
        self._stream: int | None = None
        self._events: list[Any] = []
        self._inputs: list[Binding] = []
        self._outputs: list[Binding] = []
        self._shapes: tuple[Shape, ...] | None = None
        self._warm = self._closed = False
        self.no_graph: str | None = None
        with self._guarded("was made ready"):
            self._runtime, self._engine = load(module, name, plan, self._log, again)
            self._kernels = Kernels(self._engine, kernels)
            self._context = execution_context(name, self._engine, self._log, self._kernels)
            self._stream = cuda.stream()
            self._inputs, self._outputs = bindings(module, self._engine, names, again)
            fixed = all(binding.fixed for binding in self._inputs)
            self.no_graph = self._why_no_graph(wanted=graphs, fixed=fixed)
            if fixed:
                self._reshape(tuple(binding.shape for binding in self._inputs))

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """See ``Runner.run``. The outputs are copies."""
        self._fill(inputs)
        with self._guarded("ran"):
            self._capture_once()
            self._copy_in()
            self._compute()
            self._copy_out()
            self._cuda.synchronize(self._queue)
        self._warm_up()
        return [np.array(binding.array) for binding in self._outputs]

    def split(self, inputs: Sequence[Tensor]) -> Split:
        """Run once, and tell how long each part took on the GPU."""
        self._fill(inputs)
        with self._guarded("ran"):
            while len(self._events) < EVENTS:
                self._events.append(self._cuda.event())
            self._capture_once()
            self._cuda.record(self._events[0], self._queue)
            parts = (self._copy_in, self._compute, self._copy_out)
            for part, behind in zip(parts, self._events[1:], strict=True):
                part()
                self._cuda.record(behind, self._queue)
            self._cuda.synchronize(self._queue)
            pairs = zip(self._events[:-1], self._events[1:], strict=True)
            times = [self._cuda.elapsed_ms(start, end) for start, end in pairs]
        self._warm_up()
        return Split(*times)

    def int8_convolutions(self) -> int:
        """See ``Runner.int8_convolutions``."""
        return self._layers()

    def close(self) -> None:
        """Give everything back."""
        if self._closed:
            return
        self._closed = True
        if self._stream is not None:
            quietly(self._cuda.synchronize, self._stream)
        if self._graph is not None:
            quietly(self._cuda.destroy_graph, self._graph)
            self._graph = None
        while self._events:
            quietly(self._cuda.destroy_event, self._events.pop())
        # Each stands on the one behind it.
        self._context = None
        self._kernels = None
        self._engine = None
        self._runtime = None
        for binding in (*self._inputs, *self._outputs):
            binding.close()
        if self._stream is not None:
            quietly(self._cuda.destroy_stream, self._stream)
        quietly(self._cuda.close)

    @contextmanager
    def _guarded(self, when: str) -> Iterator[None]:
        """Give everything back where what is done inside fails, and say so in a sentence."""
        try:
            yield
        except CudaError as error:
            self.close()
            raise StepError(
                f"the GPU failed while the engine {when} ({error}): run it again, and if it fails "
                "again, look for Xid in the driver's log (dmesg)"
            ) from error
        except BaseException:
            self.close()
            raise

    @property
    def _queue(self) -> int:
        assert self._stream is not None
        return self._stream

    def _fill(self, inputs: Sequence[Tensor]) -> None:
        """Put ``inputs`` where they are copied from, with memory for their shapes."""
        if self._closed:
            raise StepError(f"the engine was given back, and {self._name} runs it no more: load it")
        if len(inputs) != len(self._inputs):
            raise StepError(f"the engine takes {len(self._inputs)} inputs, not {len(inputs)}")
        for binding, value in zip(self._inputs, inputs, strict=True):
            binding.check(value)
        shapes = tuple(value.shape for value in inputs)
        if shapes != self._shapes:
            self._check_range(shapes)
            with self._guarded("got its memory"):
                self._reshape(shapes)
        for binding, value in zip(self._inputs, inputs, strict=True):
            np.copyto(binding.array, value)

    def _check_range(self, shapes: tuple[Shape, ...]) -> None:
        """Raise StepError where the engine was not built for ``shapes``."""
        engine: Any = self._engine
        for binding, shape in zip(self._inputs, shapes, strict=True):
            if binding.fixed:
                continue
            least, _, most = map(tuple, engine.get_tensor_profile_shape(binding.name, 0))
            if any(not a <= b <= c for a, b, c in zip(least, shape, most, strict=True)):
                raise StepError(
                    f"the engine was built for input {binding.name!r} from {shown(least)} to "
                    f"{shown(most)}, but was given {shown(shape)}"
                )

    def _reshape(self, shapes: tuple[Shape, ...]) -> None:
        """Tell the engine the shapes of its inputs, and have memory for all its tensors."""
        context: Any = self._context
        self._shapes = None
        for binding, shape in zip(self._inputs, shapes, strict=True):
            if not binding.fixed and not context.set_input_shape(binding.name, shape):
                raise StepError(
                    f"{self._name} does not take input {binding.name!r} of shape {shown(shape)}: "
                    f"{last_errors(self._log.errors)}"
                )
        for binding in (*self._inputs, *self._outputs):
            shape = tuple(context.get_tensor_shape(binding.name))
            if FREE in shape:
                raise StepError(
                    f"the size of tensor {binding.name!r} depends on the image, which fqbench does "
                    "not run on a GPU: cut the model off before it, as before its NMS"
                )
            binding.resize(self._cuda, shape)
            if not context.set_tensor_address(binding.name, binding.address):
                raise StepError(
                    f"{self._name} does not take memory for tensor {binding.name!r}: "
                    f"{last_errors(self._log.errors)}"
                )
        self._shapes = shapes

    def _warm_up(self) -> None:
        """Note that the engine ran: all that it needs is compiled."""
        if not self._warm and self._kernels is not None:
            self._kernels.keep()
        self._warm = True

    def _copy_in(self) -> None:
        for binding in self._inputs:
            self._cuda.to_device(binding.address, binding.bytes, self._queue)

    def _copy_out(self) -> None:
        for binding in self._outputs:
            self._cuda.to_host(binding.bytes, binding.address, self._queue)

    def _compute(self) -> None:
        if self._graph is not None:
            self._cuda.launch(self._graph, self._queue)
        elif not self._queued():
            raise StepError(
                f"{self._name} does not run the engine ({last_errors(self._log.errors)}): "
                f"{self._again}"
            )

    def _queued(self) -> bool:
        context: Any = self._context
        return bool(context.execute_async_v3(self._queue))

    def _why_no_graph(self, *, wanted: bool, fixed: bool) -> str | None:
        if not wanted:
            return "none was asked for"
        if not fixed:
            return "sizes of the inputs are free"
        return None if self._cuda.graphs else "what CUDA is called through records none"

    def _capture_once(self) -> None:
        """Record the computation as a graph, behind the first run, in which TensorRT prepares."""
        if not self._warm or self._graph is not None or self.no_graph is not None:
            return
        capturable = getattr(self._context, "is_stream_capturable", None)
        if capturable is not None and not capturable(self._queue):
            self.no_graph = f"{self._name} cannot record this engine"
            return
        try:
            self._cuda.begin_capture(self._queue)
            queued = self._queued()
            graph = self._cuda.end_capture(self._queue)
        except CudaError as error:
            # Where the GPU itself failed, the run that follows says so.
            self.no_graph = f"recording it failed ({error})"
            return
        if queued:
            self._graph = graph
        else:
            quietly(self._cuda.destroy_graph, graph)
            self.no_graph = f"recording it failed ({last_errors(self._log.errors)})"
