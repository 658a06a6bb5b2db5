"""A stand-in for the module pynvml: the GPUs of a machine that is made up."""

# ruff: noqa: N802 - named as pynvml names them

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class NVMLError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(f"error {value}")
        self.value = value


@dataclass(frozen=True)
class Card:
    """A GPU; ``parts``: MIG devices of it, by UUID."""

    name: str | bytes = "NVIDIA GeForce RTX 4090"
    uuid: str = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
    capability: tuple[int, int] = (8, 9)
    memory: int = 24 << 30
    parts: tuple[str, ...] = ()


@dataclass
class NvmlStandIn:
    """See pynvml. ``start``: the error of nvmlInit; ``unknown``: what is not answered."""

    cards: tuple[Card, ...] = (Card(),)
    driver: str | bytes = "580.65.06"
    cuda: int = 13000
    start: int | None = None
    unknown: frozenset[str] = frozenset()
    slowed: int = 0
    open: int = field(default=0, init=False)

    NVMLError = NVMLError
    NVML_ERROR_NO_PERMISSION = 4
    NVML_ERROR_DRIVER_NOT_LOADED = 9
    NVML_ERROR_LIBRARY_NOT_FOUND = 12
    NVML_ERROR_GPU_IS_LOST = 15
    NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18
    NVML_CLOCK_SM = 1
    NVML_CLOCK_MEM = 2
    NVML_TEMPERATURE_GPU = 0

    def nvmlInit(self) -> None:
        if self.start is not None:
            raise NVMLError(self.start)
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:
        return self.cards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:
        for card in self.cards:
            if uuid in card.parts:
                return SimpleNamespace(whole=card, name=f"{card.name} MIG 1g.10gb", memory=10 << 30)
        raise NVMLError(6)

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, part: Any) -> Card:
        return part.whole

    def nvmlDeviceGetUUID(self, card: Card) -> str:
        return card.uuid

    def nvmlDeviceGetName(self, card: Any) -> str | bytes:
        return card.name

    def nvmlDeviceGetCudaComputeCapability(self, card: Any) -> tuple[int, int]:
        if not isinstance(card, Card):
            raise NVMLError(3)
        return card.capability

    def nvmlDeviceGetMemoryInfo(self, card: Any) -> Any:
        return SimpleNamespace(total=self._told("memory", card.memory))

    def nvmlSystemGetDriverVersion(self) -> str | bytes:
        return self.driver

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        return self.cuda

    def nvmlDeviceGetClockInfo(self, card: Any, kind: int) -> int:
        return self._told("clock", {1: 2520, 2: 10501}[kind])

    def nvmlDeviceGetMaxClockInfo(self, card: Any, kind: int) -> int:
        return self._told("clock", {1: 3105}[kind])

    def nvmlDeviceGetTemperature(self, card: Any, sensor: int) -> int:
        return self._told("temperature", 61)

    def nvmlDeviceGetEnforcedPowerLimit(self, card: Any) -> int:
        return self._told("power", 450_000)

    def nvmlDeviceGetPersistenceMode(self, card: Any) -> int:
        return self._told("persistence", 1)

    def nvmlDeviceGetCurrentClocksEventReasons(self, card: Any) -> int:
        return self._told("slowed", self.slowed)

    def _told(self, what: str, value: int) -> int:
        if what in self.unknown:
            raise NVMLError(3)
        return value
