"""The NVIDIA GPU of this machine, told by its driver through NVML: cheap, and with no CUDA context.

CUDA counts the fastest GPU first, NVML by place on the bus. ``count_as_nvml`` makes CUDA count as
NVML does, so that both mean the same GPU by a number.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from fqbench.errors import FqbenchError

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
BY_BUS = "PCI_BUS_ID"


class NoGpu(FqbenchError):  # noqa: N818
    """This process can use no NVIDIA GPU, and why."""


@dataclass(frozen=True)
class Gpu:
    """A GPU and its driver.

    ``capability``: CUDA's compute capability. ``driver``: version of the driver; ``cuda``: the
    newest CUDA that it can run. ``memory_mb``: in MiB; None where it has no memory of its own.
    """

    name: str
    capability: tuple[int, int]
    driver: str
    cuda: tuple[int, int]
    memory_mb: int | None


@dataclass(frozen=True)
class Conditions:
    """What a GPU's speed depends on beside the GPU; None is what it does not tell.

    Clocks in MHz: now, and the highest. ``slowed``: why the clock is lower than it could be, in
    NVML's words.
    """

    sm_mhz: int | None
    sm_max_mhz: int | None
    memory_mhz: int | None
    temperature_c: int | None
    power_limit_w: float | None
    persistence: bool | None
    slowed: tuple[str, ...]


SLOWED = {
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""Bits of NVML's reasons for a lowered clock. Idling (1) is none."""


def why_no_gpu() -> str | None:
    """Why this process can use no NVIDIA GPU; None where it can."""
    found = _found(*_asked_for())
    return found if isinstance(found, str) else None


def gpu() -> Gpu:
    """The first GPU that CUDA shows this process. Raises NoGpu with the reason where none is."""
    found = _found(*_asked_for())
    if isinstance(found, str):
        raise NoGpu(found)
    return found


def newer_driver(here: Gpu, major: int) -> str:
    """What to do for a CUDA of version ``major``, which the driver of ``here`` is too old for."""
    return (
        f"the NVIDIA driver {here.driver} runs CUDA {here.cuda[0]}.{here.cuda[1]} at most: install "
        f"a driver for CUDA {major}"
    )


def conditions() -> Conditions:
    """In what conditions the GPU of ``gpu`` is now. Raises NoGpu."""
    return read_conditions(_nvml(), *_asked_for())


def count_as_nvml(environment: MutableMapping[str, str] = os.environ) -> None:
    """Make CUDA, not yet used by this process, count GPUs as NVML does.

    An order that the user asked for stays; ``gpu`` refuses it where it matters.
    """
    environment.setdefault(ORDER, BY_BUS)


def _asked_for() -> tuple[str | None, str | None]:
    """Which GPUs the user shows CUDA, and in which order."""
    return os.environ.get(VISIBLE), os.environ.get(ORDER)


@cache
def _found(visible: str | None, order: str | None) -> Gpu | str:
    try:
        return probe(_nvml(), visible, order)
    except NoGpu as error:
        return str(error)


def _nvml() -> Any:
    try:
        return importlib.import_module("pynvml")
    except ImportError as error:
        raise NoGpu(
            "whether there is an NVIDIA GPU is unknown, since nvidia-ml-py is not installed: "
            "pip install nvidia-ml-py"
        ) from error


def probe(nvml: Any, visible: str | None, order: str | None = None) -> Gpu:
    """The first GPU that ``CUDA_VISIBLE_DEVICES`` shows, asked of ``nvml``, the module pynvml.

    ``order``: what ``CUDA_DEVICE_ORDER`` says. Raises NoGpu with the reason where there is none, or
    where CUDA would take another one.
    """
    with _asked(nvml):
        handle = _first(nvml, visible, order)
        # A part of a GPU (MIG) does not tell this; its GPU does.
        try:
            capability = nvml.nvmlDeviceGetCudaComputeCapability(handle)
        except nvml.NVMLError:
            whole = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
            capability = nvml.nvmlDeviceGetCudaComputeCapability(whole)
        cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()
        return Gpu(
            name=_text(nvml.nvmlDeviceGetName(handle)),
            capability=(int(capability[0]), int(capability[1])),
            driver=_text(nvml.nvmlSystemGetDriverVersion()),
            cuda=(cuda // 1000, cuda % 1000 // 10),
            memory_mb=_memory_mb(nvml, handle),
        )


def _memory_mb(nvml: Any, handle: Any) -> int | None:
    """None of a GPU that shares the memory of the host, which NVML does not tell."""
    with suppress(nvml.NVMLError):
        return int(nvml.nvmlDeviceGetMemoryInfo(handle).total) >> 20
    return None


def read_conditions(nvml: Any, visible: str | None, order: str | None = None) -> Conditions:
    """As ``conditions``, asked of ``nvml``."""

    def told(question: str, *arguments: Any) -> Any:
        # What a GPU does not have, a driver does not know or a user may not read is left out.
        with suppress(nvml.NVMLError, AttributeError):
            return getattr(nvml, question)(handle, *arguments)
        return None

    with _asked(nvml):
        handle = _first(nvml, visible, order)
        limit = told("nvmlDeviceGetEnforcedPowerLimit")
        persistence = told("nvmlDeviceGetPersistenceMode")
        slowed = told("nvmlDeviceGetCurrentClocksEventReasons") or 0
        return Conditions(
            sm_mhz=told("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
            sm_max_mhz=told("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM),
            memory_mhz=told("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM),
            temperature_c=told("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU),
            power_limit_w=None if limit is None else limit / 1000,
            persistence=None if persistence is None else bool(persistence),
            slowed=tuple(reason for bit, reason in SLOWED.items() if slowed & bit),
        )


@contextmanager
def _asked(nvml: Any) -> Iterator[None]:
    """NVML, open inside; what it cannot do is told as NoGpu."""
    try:
        nvml.nvmlInit()
        try:
            yield
        finally:
            with suppress(nvml.NVMLError):
                nvml.nvmlShutdown()
    except nvml.NVMLError as error:
        raise NoGpu(_reason(nvml, error)) from error


def _reason(nvml: Any, error: Any) -> str:
    known = {
        nvml.NVML_ERROR_LIBRARY_NOT_FOUND: (
            "there is no NVIDIA driver (its library libnvidia-ml was not found)"
        ),
        nvml.NVML_ERROR_DRIVER_NOT_LOADED: (
            "the NVIDIA driver is installed but not loaded: start it (modprobe nvidia), or give a "
            "container its GPUs (docker run --gpus all)"
        ),
        nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: (
            "the NVIDIA driver and its libraries are of different versions, as after an update: "
            "reboot"
        ),
        nvml.NVML_ERROR_NO_PERMISSION: (
            "this user may not use the NVIDIA driver: see the permissions of /dev/nvidia*"
        ),
        nvml.NVML_ERROR_GPU_IS_LOST: "the NVIDIA GPU fell off the bus: reboot",
    }
    found = known.get(getattr(error, "value", None))
    return found or f"the NVIDIA driver does not answer (NVML: {error}): see what nvidia-smi says"


def _first(nvml: Any, visible: str | None, order: str | None) -> Any:
    """NVML's handle of the first GPU that CUDA shows."""
    count = nvml.nvmlDeviceGetCount()
    if count == 0:
        raise NoGpu("the NVIDIA driver sees no GPU")
    # CUDA stops at the first entry that names no GPU; so only the first one matters.
    first = "0" if visible is None else visible.split(",")[0].strip()
    if order not in (None, BY_BUS) and count > 1 and first.isdecimal():
        raise NoGpu(
            f"{ORDER}={order!r} counts the {count} GPUs of this machine otherwise than the driver: "
            f"unset it or set {BY_BUS}"
        )
    handle = _named(nvml, first, count)
    if handle is None:
        raise NoGpu(
            f"{VISIBLE}={visible!r} hides every GPU of this machine ({count}): unset it, or name "
            "one that nvidia-smi -L lists"
        )
    return handle


def _named(nvml: Any, name: str, count: int) -> Any:
    """The GPU of an entry of CUDA_VISIBLE_DEVICES: a number, or a UUID or the start of one."""
    if name.isdecimal():
        return nvml.nvmlDeviceGetHandleByIndex(int(name)) if int(name) < count else None
    if name.startswith("MIG-"):
        with suppress(nvml.NVMLError):
            return nvml.nvmlDeviceGetHandleByUUID(name)
        return None
    if not name.startswith("GPU-"):
        return None
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
    found = [h for h in handles if _text(nvml.nvmlDeviceGetUUID(h)).startswith(name)]
    return found[0] if len(found) == 1 else None


def _text(value: str | bytes) -> str:
    """Older versions of pynvml answer bytes."""
    return value.decode() if isinstance(value, bytes) else value
