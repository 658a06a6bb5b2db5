"""The tensors that go into an engine and come out of it, by name, and their memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from fqbench.backends.base import Tensor
from fqbench.backends.cuda import Cuda, CudaError, OutOfMemory
from fqbench.backends.cuda.base import Bytes
from fqbench.errors import StepError

Shape = tuple[int, ...]

FREE = -1
"""A size that is told with the inputs."""


@dataclass(frozen=True)
class Names:
    """Names of inputs and outputs, in the model's order; an engine's may be another."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


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


class Binding:
    """A tensor of an engine. Its memory is there after ``resize``, until ``close``.

    ``shape``: as the engine has it, with FREE sizes. ``array`` is a view of the pinned memory and
    ``bytes`` the same as bytes; both are as large as the last shape, the memory as the largest.
    """

    def __init__(self, name: str, dtype: np.dtype[Any], shape: Shape) -> None:
        self.name, self.dtype, self.shape = name, dtype, shape
        self._buffer: Buffer | None = None
        self.bytes: Bytes = np.empty(0, np.uint8)
        self.array: Tensor = np.empty(0, dtype)

    @property
    def fixed(self) -> bool:
        """Whether no size is free."""
        return FREE not in self.shape

    @property
    def address(self) -> int:
        """Where it is in the GPU's memory; 0 before it has any."""
        return 0 if self._buffer is None else self._buffer.device

    def check(self, value: Tensor) -> None:
        """Raise StepError where ``value`` cannot be what this input is given."""
        if value.dtype != self.dtype:
            raise StepError(
                f"input {self.name!r} of the engine is {self.dtype}, but was given {value.dtype}"
            )
        sizes = zip(value.shape, self.shape, strict=False)
        if value.ndim != len(self.shape) or any(b not in (a, FREE) for a, b in sizes):
            raise StepError(
                f"input {self.name!r} of the engine has the shape {shown(self.shape)}, but was "
                f"given {shown(value.shape)}"
            )

    def resize(self, cuda: Cuda, shape: Shape) -> None:
        """Have memory for ``shape``: what is there, where that is enough. Raises StepError."""
        size = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        if self._buffer is None or self._buffer.size < size:
            self.close()
            self._buffer = Buffer(cuda, max(size, 1))
        self.bytes = self._buffer.host[:size]
        self.array = self.bytes.view(self.dtype).reshape(shape)

    def close(self) -> None:
        """Give the memory back."""
        buffer, self._buffer = self._buffer, None
        # Views of memory that is not there any more would be read without an error.
        self.bytes, self.array = np.empty(0, np.uint8), np.empty(0, self.dtype)
        if buffer is not None:
            buffer.close()


def bindings(
    module: Any, engine: Any, names: Names | None, again: str
) -> tuple[list[Binding], list[Binding]]:
    """Inputs and outputs of ``engine`` in the order of ``names``; None: in its own.

    ``again`` tells how to build it anew. Raises StepError where it has others, or some that
    fqbench does not give.
    """
    inputs: dict[str, Binding] = {}
    outputs: dict[str, Binding] = {}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        goes_in = engine.get_tensor_mode(name) == module.TensorIOMode.INPUT
        (inputs if goes_in else outputs)[name] = _binding(module, engine, name)
    if names is None:
        return list(inputs.values()), list(outputs.values())
    return (
        _in_order("inputs", inputs, names.inputs, again),
        _in_order("outputs", outputs, names.outputs, again),
    )


def _binding(module: Any, engine: Any, name: str) -> Binding:
    if engine.get_tensor_location(name) != module.TensorLocation.DEVICE:
        raise StepError(
            f"tensor {name!r} of the engine tells a shape, not an image: export the model with "
            "fixed shapes"
        )
    try:
        dtype = np.dtype(module.nptype(engine.get_tensor_dtype(name)))
    except TypeError as error:
        raise StepError(
            f"tensor {name!r} of the engine is of a type that NumPy lacks: export the model with "
            "float32 inputs and outputs"
        ) from error
    return Binding(name, dtype, tuple(engine.get_tensor_shape(name)))


def _in_order(
    what: str, found: dict[str, Binding], names: tuple[str, ...], again: str
) -> list[Binding]:
    if sorted(found) != sorted(names):
        raise StepError(
            f"the engine has the {what} {', '.join(found)}, where the model has "
            f"{', '.join(names)}: {again}"
        )
    return [found[name] for name in names]


def shown(shape: Shape) -> str:
    """A shape as messages write it."""
    return "x".join("?" if size == FREE else str(size) for size in shape) or "of a single number"
