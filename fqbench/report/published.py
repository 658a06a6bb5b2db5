"""The figures of the published table.

FastDeploy's document quantize.md, and for two cells that it leaves out the edition of release
1.0.7. Measured on an Intel Xeon Gold 6271C (one thread) and an NVIDIA Tesla T4 (TensorRT 8.4.15).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Edition = Literal["document", "1.0.7"]

LATER_EDITION: Edition = "1.0.7"


@dataclass(frozen=True)
class Figures:
    """One published row. Latencies in ms, accuracies in points of 0 to 100.

    ``printed_ratio``: as the document prints it; None where an edition prints none.
    """

    edition: Edition
    model: str
    backend: str
    device: str
    fp32_ms: float
    int8_ms: float
    printed_ratio: float | None
    metric: str
    fp32_accuracy: float
    int8_accuracy: float
    method: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Model, backend and device."""
        return (self.model, self.backend, self.device)

    @property
    def ratio(self) -> float:
        """FP32 over INT8 time, as printed where it is."""
        return self.times_ratio if self.printed_ratio is None else self.printed_ratio

    @property
    def times_ratio(self) -> float:
        """FP32 over INT8 time by the printed times, which is not always the printed ratio."""
        return self.fp32_ms / self.int8_ms

    @property
    def drop(self) -> float:
        """Points lost from FP32 to INT8."""
        return round(self.fp32_accuracy - self.int8_accuracy, 2)


@cache
def published_figures() -> tuple[Figures, ...]:
    """All published rows, in the order of the table."""
    path = Path(__file__).with_name("published_figures.csv")
    with path.open(newline="", encoding="utf-8") as stream:
        return tuple(_figures(line) for line in csv.DictReader(stream))


def _figures(line: dict[str, str]) -> Figures:
    return Figures(
        edition="document" if line["edition"] == "document" else LATER_EDITION,
        model=line["model"],
        backend=line["backend"],
        device=line["device"],
        fp32_ms=float(line["fp32_ms"]),
        int8_ms=float(line["int8_ms"]),
        printed_ratio=float(line["ratio"]) if line["ratio"] else None,
        metric=line["metric"],
        fp32_accuracy=float(line["fp32_accuracy"]),
        int8_accuracy=float(line["int8_accuracy"]),
        method=line["method"],
    )
