"""The two ways to call CUDA, as far as that can be told without a GPU."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fqbench
from fqbench.backends.cuda import (
    Cuda,
    CudaError,
    OutOfMemory,
    missing,
    open_cuda,
    provider,
    through_cuda_python,
)
from fqbench.backends.cuda.through_cuda_python import FUNCTIONS, CudaPython, bindings
from fqbench.backends.cuda.through_pycuda import PyCuda
from fqbench.errors import StepError
from tests.support.cuda_stand_in import CudaStandIn

METHODS = {
    name: tuple(inspect.signature(value).parameters)
    for name, value in vars(Cuda).items()
    if inspect.isfunction(value) and not name.startswith("_")
}


@pytest.mark.parametrize("way", [PyCuda, CudaPython, CudaStandIn])
def test_every_way_has_every_call(way):
    assert len(METHODS) == 18
    for name, parameters in METHODS.items():
        assert tuple(inspect.signature(getattr(way, name)).parameters) == parameters, name


def test_cuda_is_called_in_one_place_only():
    root = Path(fqbench.__file__).parent
    importing = re.compile(r"^\s*(?:import|from)\s+(?:py)?cuda\b|\"(?:py)?cuda\.", re.MULTILINE)
    users = {p for p in root.rglob("*.py") if importing.search(p.read_text())}
    folder = root / "backends" / "cuda"
    assert {p for p in users if folder in p.parents}
    # Text that users run without fqbench.
    users.discard(root / "backends" / "tensorrt" / "snippet.py")
    assert not [p for p in users if folder not in p.parents]


def _has_driver() -> bool:
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg"))


class TestCudaPython:
    @pytest.fixture
    def driver(self) -> Any:
        try:
            return bindings()
        except ImportError:
            pytest.skip("cuda-python is not installed")

    def test_functions_and_constants_are_there(self, driver):
        for name in FUNCTIONS:
            assert callable(getattr(driver, name)), name
        assert driver.CUresult.CUDA_SUCCESS == 0
        assert driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY == 2
        assert int(driver.CUstream_flags.CU_STREAM_NON_BLOCKING) == 1
        assert int(driver.CUevent_flags.CU_EVENT_DEFAULT) == 0
        assert int(driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) == 1

    def test_arguments_are_of_types_that_they_take(self, driver):
        if _has_driver():
            pytest.skip("there is an NVIDIA driver, which would take them for addresses")
        cuda = object.__new__(CudaPython)
        cuda._driver, cuda._device = driver, driver.CUdevice(0)
        memory, event, graph = np.zeros(8, np.uint8), driver.CUevent(), driver.CUgraphExec()
        calls = {
            "allocate": (8,),
            "free": (0x100,),
            "pin": (8,),
            "unpin": (memory,),
            "stream": (),
            "destroy_stream": (7,),
            "synchronize": (7,),
            "to_device": (0x100, memory, 7),
            "to_host": (memory, 0x100, 7),
            "event": (),
            "destroy_event": (event,),
            "record": (event, 7),
            "elapsed_ms": (event, event),
            "begin_capture": (7,),
            "end_capture": (7,),
            "launch": (graph, 7),
            "destroy_graph": (graph,),
            "close": (),
        }
        assert calls.keys() == METHODS.keys()
        for name, arguments in calls.items():
            # Where there is no driver, a call gets as far as looking for it.
            with pytest.raises(CudaError):
                getattr(cuda, name)(*arguments)

    def test_every_function_called_is_listed(self):
        text = Path(inspect.getfile(CudaPython)).read_text()
        assert set(re.findall(r'_call\(\s*"(\w+)"', text)) == set(FUNCTIONS)

    def test_machine_without_a_driver_is_told(self, driver, monkeypatch):
        if _has_driver():
            pytest.skip("there is an NVIDIA driver")
        monkeypatch.setattr(provider, "_has_pycuda", lambda: False)
        with pytest.raises(StepError) as caught:
            open_cuda()
        assert str(caught.value).startswith("CUDA does not start (cuInit: ")
        assert str(caught.value).endswith("see what nvidia-smi says")


class DriverStandIn:
    """A stand-in for cuda.bindings.driver: notes its calls, and answers as it is told."""

    class CUresult:
        CUDA_SUCCESS = 0
        CUDA_ERROR_OUT_OF_MEMORY = 2

    CUstream_flags = SimpleNamespace(CU_STREAM_NON_BLOCKING=1)
    CUevent_flags = SimpleNamespace(CU_EVENT_DEFAULT=0)
    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1)

    def __init__(self, **answers: Any) -> None:
        self.notes: list[tuple[Any, ...]] = []
        self.answers = {"cuDeviceGet": (0, 0), "cuDevicePrimaryCtxRetain": (0, "ctx"), **answers}

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            self.notes.append((name, *arguments))
            answer = self.answers.get(name, (0,))
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class TestCudaPythonCalls:
    def test_uses_the_context_that_tensorrt_uses(self):
        driver = DriverStandIn()
        CudaPython(driver).close()
        assert driver.notes == [
            ("cuInit", 0),
            ("cuDeviceGet", 0),
            ("cuDevicePrimaryCtxRetain", 0),
            ("cuCtxSetCurrent", "ctx"),
            ("cuDevicePrimaryCtxRelease", 0),
        ]

    def test_pinned_memory_is_that_of_cuda(self):
        there = np.arange(8, dtype=np.uint8)
        driver = DriverStandIn(cuMemHostAlloc=(0, there.ctypes.data))
        cuda = CudaPython(driver)
        memory = cuda.pin(8)
        memory[3] = 99
        assert there.tolist() == [0, 1, 2, 99, 4, 5, 6, 7]
        cuda.to_device(0x100, memory[2:6], 7)
        cuda.to_host(memory[:2], 0x200, 7)
        cuda.unpin(memory)
        assert driver.notes[-3:] == [
            ("cuMemcpyHtoDAsync", 0x100, there.ctypes.data + 2, 4, 7),
            ("cuMemcpyDtoHAsync", there.ctypes.data, 0x200, 2, 7),
            ("cuMemFreeHost", there.ctypes.data),
        ]

    @pytest.mark.parametrize(
        ("answer", "kind", "text"),
        [
            ((2, None), OutOfMemory, "cuMemAlloc: 2"),
            ((SimpleNamespace(name="CUDA_ERROR_LAUNCH_FAILED"), None), CudaError, None),
            (RuntimeError('Function\n"cuMemAlloc" not found'), CudaError, None),
        ],
    )
    def test_errors_name_the_call(self, answer, kind, text):
        cuda = CudaPython(DriverStandIn(cuMemAlloc=answer))
        with pytest.raises(CudaError) as caught:
            cuda.allocate(5)
        assert type(caught.value) is kind
        assert caught.value.call == "cuMemAlloc"
        assert text is None or str(caught.value) == text
        assert "\n" not in str(caught.value)

    def test_recorded_work_is_given_back_where_it_is_no_graph(self):
        driver = DriverStandIn(cuStreamEndCapture=(0, "work"), cuGraphInstantiate=(801, None))
        with pytest.raises(CudaError, match="cuGraphInstantiate: 801"):
            CudaPython(driver).end_capture(7)
        assert driver.notes[-1] == ("cuGraphDestroy", "work")


class PyCudaStandIn:
    """A stand-in for pycuda.driver, named as pycuda's source names things."""

    class Error(Exception):
        pass

    class MemoryError(Error):
        pass

    def __init__(self, *, graphs: bool) -> None:
        self.notes: list[Any] = []
        note = self.notes.append
        outer = self

        class Stream:
            handle = 0x77

            def __init__(self, flags: int) -> None:
                note(("Stream", flags))

            def synchronize(self) -> None:
                raise outer.Error("cuStreamSynchronize failed: an illegal memory access")

        if graphs:
            work = SimpleNamespace(
                instantiate=lambda: SimpleNamespace(launch=lambda s: note(("launch", s.handle)))
            )
            Stream.begin_capture = lambda self, mode: note(("begin_capture", mode))
            Stream.end_capture = lambda self: work
        self.Stream = Stream
        self.capture_mode = SimpleNamespace(THREAD_LOCAL="thread local")
        self.context = SimpleNamespace(
            push=lambda: note("push"), pop=lambda: note("pop"), detach=lambda: note("detach")
        )

    def init(self) -> None:
        self.notes.append("init")

    def Device(self, number: int) -> Any:  # noqa: N802
        self.notes.append(("Device", number))
        return SimpleNamespace(retain_primary_context=lambda: self.context)

    def mem_alloc(self, size: int) -> Any:
        if size > 100:
            raise self.MemoryError("cuMemAlloc failed: out of memory")
        return Allocation(self.notes)

    def pagelocked_empty(self, size: int, dtype: Any) -> Any:
        holder = Allocation(self.notes, np.zeros(size, dtype))
        return np.asarray(holder)

    def memcpy_htod_async(self, address: int, memory: Any, stream: Any) -> None:
        self.notes.append(("in", address, memory.nbytes, stream.handle))


class Allocation:
    def __init__(self, notes: list[Any], array: Any = None) -> None:
        self._notes, self._array = notes, array

    @property
    def __array_interface__(self) -> Any:
        return self._array.__array_interface__

    def __int__(self) -> int:
        return 0x500

    def free(self) -> None:
        self._notes.append("free")


class TestPyCudaCalls:
    def test_uses_the_context_that_tensorrt_uses(self):
        driver = PyCudaStandIn(graphs=False)
        cuda = PyCuda(driver)
        assert not cuda.graphs
        cuda.close()
        assert driver.notes == ["init", ("Device", 0), "push", "pop", "detach"]

    def test_memory_and_streams_are_numbers(self):
        driver = PyCudaStandIn(graphs=False)
        cuda = PyCuda(driver)
        address, stream, memory = cuda.allocate(16), cuda.stream(), cuda.pin(16)
        assert (address, stream, memory.nbytes) == (0x500, 0x77, 16)
        cuda.to_device(address, memory, stream)
        cuda.unpin(memory)
        cuda.free(address)
        cuda.destroy_stream(stream)
        assert driver.notes[3:] == [("Stream", 1), ("in", 0x500, 16, 0x77), "free", "free"]

    def test_errors_name_the_call(self):
        cuda = PyCuda(PyCudaStandIn(graphs=False))
        with pytest.raises(OutOfMemory) as short:
            cuda.allocate(1000)
        assert str(short.value) == "cuMemAlloc: out of memory"
        with pytest.raises(CudaError) as broken:
            cuda.synchronize(cuda.stream())
        assert type(broken.value) is CudaError
        assert broken.value.code == "an illegal memory access"
        assert broken.value.call == "cuStreamSynchronize"

    def test_graphs_where_pycuda_has_them(self):
        driver = PyCudaStandIn(graphs=True)
        cuda = PyCuda(driver)
        assert cuda.graphs
        stream = cuda.stream()
        cuda.begin_capture(stream)
        cuda.launch(cuda.end_capture(stream), stream)
        assert driver.notes[-2:] == [("begin_capture", "thread local"), ("launch", 0x77)]


class TestOpening:
    @pytest.mark.parametrize(
        ("function", "code"),
        [
            ("cuInit", "CUDA_ERROR_NO_DEVICE"),
            ("cuInit", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
            ("cuDevicePrimaryCtxRetain", "CUDA_ERROR_DEVICE_UNAVAILABLE"),
        ],
    )
    def test_gpu_that_does_not_start_is_told(self, function, code, monkeypatch):
        driver = DriverStandIn(**{function: (SimpleNamespace(name=code), None)})
        monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        monkeypatch.setattr(provider, "_has_pycuda", lambda: False)
        monkeypatch.setattr(provider, "_has_cuda_python", lambda: True)
        monkeypatch.setattr(through_cuda_python, "bindings", lambda: driver)
        with pytest.raises(StepError) as caught:
            open_cuda()
        assert str(caught.value) == (
            f"CUDA does not start ({function}: {code}): see what nvidia-smi says"
        )

    def test_neither_is_told(self, monkeypatch):
        monkeypatch.setattr(provider, "_has_pycuda", lambda: False)
        monkeypatch.setattr(provider, "_has_cuda_python", lambda: False)
        assert missing() == provider.INSTALL
        assert "pip install cuda-python" in provider.INSTALL
        with pytest.raises(StepError, match="neither is installed"):
            open_cuda()

    @pytest.mark.parametrize("there", ["_has_pycuda", "_has_cuda_python"])
    def test_either_will_do(self, there, monkeypatch):
        for name in ("_has_pycuda", "_has_cuda_python"):
            monkeypatch.setattr(provider, name, lambda name=name: name == there)
        assert missing() is None

    @pytest.mark.parametrize(
        ("graphs", "both", "way"),
        [
            (True, True, PyCuda),
            (True, False, PyCuda),
            (False, True, CudaPython),
            (False, False, PyCuda),
        ],
    )
    def test_the_one_that_records_graphs_is_taken(self, graphs, both, way, monkeypatch):
        monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        for name in ("pycuda", "pycuda.driver"):
            monkeypatch.setitem(sys.modules, name, PyCudaStandIn(graphs=graphs))
        monkeypatch.setattr(provider, "_has_pycuda", lambda: True)
        monkeypatch.setattr(provider, "_has_cuda_python", lambda: both)
        monkeypatch.setattr(through_cuda_python, "bindings", DriverStandIn)
        assert type(open_cuda()) is way

    def test_package_that_does_not_load_is_told(self, monkeypatch):
        if importlib.util.find_spec("pycuda") is not None:
            pytest.skip("pycuda is installed")
        monkeypatch.setattr(provider, "_has_pycuda", lambda: True)
        with pytest.raises(StepError, match=r"package that calls CUDA does not load .*pycuda"):
            open_cuda()
