"""Results: one row per cell, as they stand in ``results.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from fqbench.cells import Cell
from fqbench.examine.record import Changes
from fqbench.fileio import write_text
from fqbench.jsonvalue import Json
from fqbench.measure.gpu_breakdown import GpuBreakdown
from fqbench.measure.int8_gain import Int8Gain
from fqbench.measure.launches import Stopped
from fqbench.measure.margin import Standing, images_needed, standing
from fqbench.measure.measures import Figures, figures_json
from fqbench.measure.stats import Interval, Latency
from fqbench.spec.quantization import Cpu
from fqbench.tune.choice import LayerCost

if TYPE_CHECKING:
    from fqbench.machine import MachineFacts

SCHEMA = 1

Status = Literal["ok", "failed", "unsupported", "skipped"]


@dataclass(frozen=True)
class Beside:
    """A cell beside ``other``, the same one in another version of the backend.

    ``ratio``: how many times as fast it is, timed in turns; ``drop``: points that it has less, on
    the same images.
    """

    other: Cell
    ratio: Interval | None
    drop: Interval | None


@dataclass(frozen=True)
class BestFloat:
    """The fastest float cell of a model on a device, of any backend and precision.

    ``ratio``: how many times as fast a cell is, timed in turns; exactly 1 of ``cell`` itself.
    """

    cell: Cell
    ratio: Interval


@dataclass(frozen=True)
class Further:
    """A further metric of a cell's answers: points, and what INT8 lost of them."""

    accuracy: float
    drop: Interval | None = None

    def to_json(self) -> dict[str, Json]:
        """As results hold it."""
        return {
            "accuracy": self.accuracy,
            "drop": None if self.drop is None else self.drop.to_json(),
        }


@dataclass(frozen=True)
class Row:
    """Everything found out about one cell. None: not measured, or does not apply.

    ``float_layers``: layers that stay in float, each with why; ``float_operators``: how many of
    which operators between them do, with why. ``drop_all_int8``: the drop where no layer did, in
    points. ``slowdown``: how many times as long as FP32 the INT8 form takes, where
    it does not pay and FP32 runs instead. ``layers``: what is known of each layer. ``roofline``:
    the share (0 to 1) of the machine's peak that an inference reaches, by its ``multiply_adds``.
    ``launches``: how often its process was started to be timed; ``stopped``: whether that ended
    since the interval was narrow, or the time used up; ``pinned``: bound to a core each time.
    ``cpu``: which CPUs INT8 was made for; ``saturates``: whether 8-bit products saturate in the
    backend's kernels here; ``safe_layers``, ``unsigned_layers``: how many layers have int8
    weights that saturate nowhere, or uint8 ones, for that reason; ``weight_errors``: the estimated
    error with each form of weights. Of a given INT8 file ``saturating_layers`` of
    ``integer_layers`` saturate, and without that it would score ``accuracy_exact``.
    ``ratio``: how many times as fast as FP32 on the same backend; ``best_float``: as the fastest
    float of any. ``int8_gain``: where INT8 saves time against FP32 on the same backend and where
    not, in case it is no faster than that float. ``beside``: the same cell in another version of
    its backend. ``measures``: what was measured beside latency, where it was asked for. ``notes``:
    what was made of the model's file, in words. ``changes``: what INT8 changes of FP32's answers.
    ``further``: the task's further metrics, by their names. ``batch``: images of one inference as
    it was timed; ``gpu``: where it spends its time there.
    """

    cell: Cell
    status: Status
    reason: str | None = None
    weights: str = "trained"
    method: str | None = None
    latency: Latency | None = None
    batch: int = 1
    gpu: GpuBreakdown | None = None
    launches: int | None = None
    stopped: Stopped | None = None
    pinned: bool | None = None
    multiply_adds: int | None = None
    roofline: Interval | None = None
    ratio: Interval | None = None
    best_float: BestFloat | None = None
    int8_gain: Int8Gain | None = None
    metric: str | None = None
    accuracy: float | None = None
    dataset: str | None = None
    images: int | None = None
    drop: Interval | None = None
    further: Mapping[str, Further] = field(default_factory=dict)
    margin: float | None = None
    agreement: float | None = None
    needs: str | None = None
    calibration: str | None = None
    size_mb: float | None = None
    quantize_s: float | None = None
    convolutions: int | None = None
    int8_planned: int | None = None
    int8_convolutions: int | None = None
    float_layers: dict[str, str] = field(default_factory=dict)
    float_operators: dict[str, str] = field(default_factory=dict)
    drop_all_int8: float | None = None
    slowdown: float | None = None
    layers: tuple[LayerCost, ...] = ()
    cpu: Cpu | None = None
    saturates: bool | None = None
    safe_layers: int | None = None
    unsigned_layers: int | None = None
    weight_errors: dict[str, float] = field(default_factory=dict)
    saturating_layers: int | None = None
    integer_layers: int | None = None
    accuracy_exact: float | None = None
    beside: Beside | None = None
    measures: Figures = field(default_factory=dict)
    changes: Changes | None = None
    notes: tuple[str, ...] = ()
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def within_margin(self) -> bool | None:
        """Whether the drop as measured is at most the margin; None where either is missing.

        What its images tell of the true one says ``against_margin``.
        """
        if self.drop is None or self.margin is None:
            return None
        return self.drop.value <= self.margin

    @property
    def against_margin(self) -> Standing | None:
        """Whether the drop is inside of the margin or outside; None as ``within_margin``."""
        if self.drop is None or self.margin is None:
            return None
        return standing(self.drop, self.margin)

    @property
    def images_needed(self) -> int | None:
        """About how many images would tell where the drop is; None where it is known or none do."""
        if self.drop is None or self.margin is None or self.images is None:
            return None
        if self.against_margin != "not known":
            return None
        return images_needed(self.drop, self.margin, self.images)

    def to_json(self) -> dict[str, Json]:
        """The row as a JSON object."""
        cell = self.cell
        return {
            "cell": cell.id,
            "model": cell.model,
            "backend": cell.backend,
            "device": cell.device,
            "precision": cell.precision,
            "status": self.status,
            "reason": self.reason,
            "weights": self.weights,
            "method": self.method,
            "latency_ms": _latency(self.latency),
            "batch": self.batch,
            "gpu": _on_gpu(self.gpu),
            "launches": self.launches,
            "stopped": self.stopped,
            "pinned": self.pinned,
            "multiply_adds": self.multiply_adds,
            "roofline": _interval(self.roofline),
            "ratio": _interval(self.ratio),
            "best_float": _best_float(self.best_float),
            "int8_gain": None if self.int8_gain is None else asdict(self.int8_gain),
            "metric": self.metric,
            "accuracy": self.accuracy,
            "dataset": self.dataset,
            "images": self.images,
            "drop": _interval(self.drop),
            "further": {name: found.to_json() for name, found in self.further.items()},
            "margin": self.margin,
            "within_margin": self.within_margin,
            "against_margin": self.against_margin,
            "images_needed": self.images_needed,
            "agreement": self.agreement,
            "needs": self.needs,
            "calibration": self.calibration,
            "size_mb": self.size_mb,
            "quantize_s": self.quantize_s,
            "convolutions": self.convolutions,
            "int8_planned": self.int8_planned,
            "int8_convolutions": self.int8_convolutions,
            "float_layers": self.float_layers,
            "float_operators": self.float_operators,
            "drop_all_int8": self.drop_all_int8,
            "slowdown": self.slowdown,
            "layers": [asdict(layer) for layer in self.layers],
            "cpu": self.cpu,
            "saturates": self.saturates,
            "safe_layers": self.safe_layers,
            "unsigned_layers": self.unsigned_layers,
            "weight_errors": self.weight_errors,
            "saturating_layers": self.saturating_layers,
            "integer_layers": self.integer_layers,
            "accuracy_exact": self.accuracy_exact,
            "beside": _beside(self.beside),
            "measures": figures_json(self.measures),
            "changes": None if self.changes is None else self.changes.to_json(),
            "notes": list(self.notes),
            "hashes": self.hashes,
        }


class ResultsFile(TypedDict):
    """The content of ``results.json``, schema 1."""

    schema: int
    created: str
    machine: MachineFacts
    rows: list[dict[str, Json]]


@dataclass(frozen=True)
class Results:
    """The rows of one run and the machine they were measured on."""

    machine: MachineFacts
    rows: tuple[Row, ...]
    created: str

    @staticmethod
    def now(machine: MachineFacts, rows: Sequence[Row]) -> Results:
        """Results of this moment, in UTC.

        The machine's facts are extended by which backends saturate, as probed for the rows.
        """
        created = datetime.now(timezone.utc).isoformat(timespec="seconds")
        probed = {row.cell.backend: row.saturates for row in rows if row.saturates is not None}
        return Results({**machine, "saturates": probed}, tuple(rows), created)

    def to_json(self) -> ResultsFile:
        """The whole as a JSON object of schema 1."""
        return {
            "schema": SCHEMA,
            "created": self.created,
            "machine": self.machine,
            "rows": [row.to_json() for row in self.rows],
        }

    def write(self, folder: Path) -> Path:
        """Write ``results.json`` into ``folder``, all of it or nothing; return its path."""
        text = json.dumps(self.to_json(), indent=1, allow_nan=False)
        return write_text(folder / "results.json", text + "\n")


def _interval(interval: Interval | None) -> dict[str, Json] | None:
    return None if interval is None else interval.to_json()


def _best_float(best: BestFloat | None) -> dict[str, Json] | None:
    return None if best is None else {"cell": best.cell.id, "ratio": _interval(best.ratio)}


def _beside(beside: Beside | None) -> dict[str, Json] | None:
    if beside is None:
        return None
    ratio, drop = _interval(beside.ratio), _interval(beside.drop)
    return {"cell": beside.other.id, "ratio": ratio, "drop": drop}


def _on_gpu(gpu: GpuBreakdown | None) -> dict[str, Json] | None:
    if gpu is None:
        return None
    found = asdict(gpu)
    split = found.pop("split")
    return {"split_ms": {**split, "total": gpu.split.total}, **found}


def _latency(latency: Latency | None) -> dict[str, Json] | None:
    if latency is None:
        return None
    return {
        "p50": latency.p50.value,
        "p90": latency.p90,
        "p99": latency.p99,
        "mean": latency.mean,
        "min": latency.minimum,
        "n": latency.n,
        "ci95": [latency.p50.low, latency.p50.high],
    }
