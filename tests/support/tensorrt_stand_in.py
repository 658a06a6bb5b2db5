"""A stand-in for TensorRT's module: it runs a Python function as an engine, and fails on command.

It tells what is made of TensorRT's answers. What TensorRT does, and how fast, it does not tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.support.cuda_stand_in import CudaStandIn

Arrays = dict[str, np.ndarray]


class Mode(Enum):
    INPUT = 1
    OUTPUT = 2


class Place(Enum):
    DEVICE = 0
    HOST = 1


@dataclass
class TensorStandIn:
    """A tensor of an engine; ``most``: the largest shape, where sizes are free.

    ``depends``: whether its size is known only when the engine has run.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any = np.float32
    mode: Mode = Mode.INPUT
    place: Place = Place.DEVICE
    most: tuple[int, ...] = ()
    depends: bool = False


@dataclass
class Failures:
    """What fails, and what TensorRT says then.

    ``run_at``: the number of the run that does; ``kernels``: the call about kept kernels that does.
    """

    errors: tuple[str, ...] = ()
    start: bool = False
    deserialize: bool = False
    context: bool = False
    shape: bool = False
    address: bool = False
    capturable: bool = True
    run_at: int | None = None
    kernels: str | None = None


@dataclass(eq=False)
class ModuleStandIn:
    """The module ``tensorrt``, whose engines all have ``tensors`` and compute ``function``.

    ``compiles``: what it compiles for an engine, in each process anew, as TensorRT for RTX does,
    unless it is given just that; None: nothing, as TensorRT. ``compiled``: how often it did.
    """

    cuda: CudaStandIn
    tensors: Sequence[TensorStandIn]
    function: Callable[[Arrays], Arrays]
    failures: Failures = field(default_factory=Failures)
    runs: int = 0
    compiles: bytes | None = None
    compiled: int = 0

    class ILogger:
        INTERNAL_ERROR, ERROR, WARNING = range(3)

        def __init__(self) -> None:
            pass

    TensorIOMode, TensorLocation = Mode, Place

    @staticmethod
    def nptype(dtype: Any) -> Any:
        if dtype == "bfloat16":
            raise TypeError("Could not resolve TensorRT datatype to an equivalent numpy datatype.")
        return dtype

    def Runtime(self, log: Any) -> Any:  # noqa: N802
        self._tell(log)
        if self.failures.start:
            raise TypeError("pybind11::init(): factory function returned nullptr")
        return SimpleNamespace(deserialize_cuda_engine=lambda plan: self._engine(plan))

    def _engine(self, plan: bytes) -> Any:
        assert isinstance(plan, bytes)
        return None if self.failures.deserialize else EngineStandIn(self)

    def _tell(self, log: Any) -> None:
        log.log(log.WARNING, "a warning, which is not quoted")
        for error in self.failures.errors:
            log.log(log.ERROR, error)


class EngineStandIn:
    def __init__(self, module: ModuleStandIn) -> None:
        self._module = module
        self._tensors = {tensor.name: tensor for tensor in module.tensors}
        self.num_io_tensors = len(self._tensors)

    def get_tensor_name(self, index: int) -> str:
        return self._module.tensors[index].name

    def get_tensor_mode(self, name: str) -> Mode:
        return self._tensors[name].mode

    def get_tensor_location(self, name: str) -> Place:
        return self._tensors[name].place

    def get_tensor_dtype(self, name: str) -> Any:
        return self._tensors[name].dtype

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._tensors[name].shape

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        assert profile == 0
        most = self._tensors[name].most
        return [tuple(1 for _ in most), most, most]

    def create_execution_context(self, config: Any = None) -> Any:
        module = self._module
        if module.failures.context or (config and module.failures.kernels == "context"):
            return None
        if config and module.failures.kernels == "arguments":
            raise TypeError("incompatible function arguments")
        cache = config.cache if config else KernelsStandIn(module)
        if cache.content != module.compiles:
            module.compiled += 1
            cache.content = module.compiles
        return ContextStandIn(module, self._tensors)

    def create_runtime_config(self) -> Any:
        module = self._module
        if module.compiles is None:
            raise AttributeError("create_runtime_config")
        config = SimpleNamespace(cache=None)

        def set_runtime_cache(cache: Any) -> bool:
            config.cache = cache
            return module.failures.kernels != "set"

        config.set_runtime_cache = set_runtime_cache
        if module.failures.kernels != "lacking":
            config.create_runtime_cache = lambda: KernelsStandIn(module)
        return config


@dataclass(eq=False)
class KernelsStandIn:
    """Kernels that an engine was given, or that were compiled for it."""

    module: ModuleStandIn
    content: bytes | None = None

    def deserialize(self, stored: bytes) -> bool:
        if self.module.failures.kernels == "deserialize":
            raise RuntimeError("no context")
        if stored != self.module.compiles:
            return False
        self.content = stored
        return True

    def serialize(self) -> bytes | None:
        return None if self.module.failures.kernels == "serialize" else self.content


class ContextStandIn:
    def __init__(self, module: ModuleStandIn, tensors: dict[str, TensorStandIn]) -> None:
        self._module, self._tensors = module, tensors
        self._shapes = {t.name: t.shape for t in tensors.values() if t.mode is Mode.INPUT}
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        if self._module.failures.shape:
            return False
        self._shapes[name] = shape
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name in self._shapes:
            return self._shapes[name]
        if self._tensors[name].depends:
            return self._tensors[name].shape
        zeros = {n: np.zeros(s, self._tensors[n].dtype) for n, s in self._shapes.items()}
        return self._module.function(zeros)[name].shape

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return not self._module.failures.address

    def is_stream_capturable(self, stream: int) -> bool:
        assert stream in self._module.cuda.streams
        return self._module.failures.capturable

    def execute_async_v3(self, stream: int) -> bool:
        self._module.runs += 1
        if self._module.failures.run_at == self._module.runs - 1:
            return False
        addresses, shapes = dict(self._addresses), dict(self._shapes)
        self._module.cuda.compute(lambda: self._run(addresses, shapes), stream)
        return True

    def _run(self, addresses: dict[str, int], shapes: dict[str, tuple[int, ...]]) -> None:
        memory, given = self._module.cuda.memory, {}
        for name, shape in shapes.items():
            dtype = np.dtype(self._tensors[name].dtype)
            size = int(np.prod(shape)) * dtype.itemsize
            given[name] = memory[addresses[name]][:size].view(dtype).reshape(shape)
        for name, value in self._module.function(given).items():
            made = np.ascontiguousarray(value, self._tensors[name].dtype)
            memory[addresses[name]][: made.nbytes] = made.reshape(-1).view(np.uint8)
