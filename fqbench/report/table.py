"""The columns of the published table, one line a model, backend and device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from fqbench.measure.stats import Interval
from fqbench.results import Row

COLUMNS = (
    "Model",
    "Backend",
    "Device",
    "FP32 ms",
    "INT8 ms",
    "Ratio",
    "Metric",
    "FP32",
    "INT8",
    "Drop",
    "Margin",
    "INT8 convs",
    "Method",
)

BACKENDS = {
    "onnxruntime": "ONNX Runtime",
    "paddle": "Paddle Inference",
    "tensorrt": "TensorRT",
}
METRICS = {"mAP": "mAP", "top1": "top-1"}
METHODS = {"offline": "offline quantization", "distillation": "distillation training"}
NOTHING = "-"


@dataclass(frozen=True)
class Line:
    """Texts of one line, by column; ``notes``: reasons of cells that have no figures."""

    texts: tuple[str, ...]
    within_margin: bool | None
    notes: tuple[str, ...]


def lines(rows: Iterable[Row]) -> tuple[Line, ...]:
    """FP32 and INT8 of one model, backend and device side by side."""
    grouped = groupby(rows, key=lambda r: (r.cell.model, r.cell.backend, r.cell.device))
    return tuple(_line(tuple(group)) for _, group in grouped)


def _line(rows: Sequence[Row]) -> Line:
    by_precision = {row.cell.precision: row for row in rows}
    fp32, int8 = by_precision.get("fp32"), by_precision.get("int8")
    cell = rows[0].cell
    texts = (
        cell.model,
        BACKENDS[cell.backend],
        cell.device.upper(),
        _latency(fp32),
        _latency(int8),
        _ratio(int8),
        METRICS.get(rows[0].metric or "", NOTHING),
        _accuracy(fp32),
        _accuracy(int8),
        _drop(int8),
        _margin(int8),
        _convolutions(int8),
        METHODS.get((int8.method if int8 else None) or "", NOTHING),
    )
    notes = tuple(f"{r.cell.id}: {r.status}: {r.reason}" for r in rows if r.reason)
    return Line(texts, int8.within_margin if int8 else None, notes)


def _latency(row: Row | None) -> str:
    if row is None or row.latency is None:
        return NOTHING if row is None or row.status == "ok" else row.status
    return f"{row.latency.p50.value:.2f}"


def _ratio(row: Row | None) -> str:
    if row is None or row.ratio is None:
        return NOTHING
    return f"{row.ratio.value:.2f} ({_range(row.ratio, 2)})"


def _accuracy(row: Row | None) -> str:
    return NOTHING if row is None or row.accuracy is None else f"{row.accuracy:.2f}"


def _drop(row: Row | None) -> str:
    if row is None or row.drop is None:
        return NOTHING
    return f"{row.drop.value:.2f} ({_range(row.drop, 2)})"


def _margin(row: Row | None) -> str:
    if row is None or row.margin is None:
        return NOTHING
    mark = {True: " ok", False: " over", None: ""}[row.within_margin]
    return f"{row.margin:g}{mark}"


def _convolutions(row: Row | None) -> str:
    if row is None or row.int8_convolutions is None:
        return NOTHING
    return f"{row.int8_convolutions} of {row.convolutions}"


def _range(interval: Interval, digits: int) -> str:
    return f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"
