"""Results made by hand, and the samples beside them, as a run hands them to the history."""

import importlib.util
from pathlib import Path

import pytest

from fqbench.cells import Cell
from fqbench.history.provenance import Provenance
from fqbench.history.writer import record
from fqbench.measure.stats import Interval, Latency
from fqbench.results import Results, Row
from fqbench.samples import Group, Samples
from tests.support.stored_files import launches

CELL = "net-onnxruntime-cpu-int8"
SOURCE = Provenance("https://host/models.git", "c" * 40, False)
MACHINE = {
    "cpu": {
        "model": "Some CPU",
        "arch": "x86_64",
        "isa": ["avx2", "fma"],
        "cores": 2,
        "usable_cores": 2,
    },
    "threads": 1,
    "memory_gb": 8.0,
    "system": "Linux-6.1",
    "versions": {"fqbench": "0.1.0", "python": "3.11.7", "onnxruntime": "1.31.0"},
}
OTHER_MACHINE = {**MACHINE, "cpu": {**MACHINE["cpu"], "model": "Other CPU"}}

needs_ruptures = pytest.mark.skipif(
    importlib.util.find_spec("ruptures") is None, reason="ruptures is not installed"
)


def with_version(version: str) -> dict:
    return {**MACHINE, "versions": {**MACHINE["versions"], "onnxruntime": version}}


def row(ms: float = 2.0, precision: str = "int8", model: str = "net", **values) -> Row:
    given = {
        "latency": Latency(Interval(ms, 0.99 * ms, 1.01 * ms), 1.2 * ms, ms, ms, 0.98 * ms, 80),
        "method": "offline" if precision == "int8" else None,
        "launches": 5,
        "pinned": True,
        "metric": "mAP",
        "accuracy": 50.0,
        "dataset": "val.json",
        "images": 128,
        "hashes": {"files": "4" * 64, "artifact": "5" * 64, "images": "1" * 64, "truth": "2" * 64},
        **values,
    }
    return Row(Cell(model, "onnxruntime", "cpu", precision), "ok", **given)


def failed(reason: str, model: str = "net") -> Row:
    return Row(Cell(model, "onnxruntime", "cpu", "int8"), "failed", reason)


def results(*rows: Row, machine: dict = MACHINE, day: int = 1) -> Results:
    return Results(machine, rows, f"2026-01-{day:02}T03:04:05+00:00")


def samples(
    ms: float = 2.0, kernel_s: float = 0.001, points: tuple = (50.0, 49.0, 51.0)
) -> Samples:
    """Of the INT8 cell and the kernels beside it."""
    reference = {kernel: launches(kernel_s) for kernel in ("float32", "int8")}
    return Samples((Group({CELL: launches(ms / 1e3)}, reference),), {CELL: points})


def keep(
    folder: Path,
    *rows: Row,
    ms: float = 2.0,
    machine: dict = MACHINE,
    source: Provenance = SOURCE,
    measured: Samples | None = None,
    day: int = 1,
) -> int:
    """Keep a run in the history in ``folder``: of ``rows``, or of one of ``ms``; its number."""
    found = results(*(rows or (row(ms),)), machine=machine, day=day)
    return record(found, samples(ms) if measured is None else measured, source, folder)
