"""Files of stored results, made by hand."""

import json
from copy import deepcopy
from pathlib import Path

CELL = "net-onnxruntime-cpu-int8"
FP32 = "net-onnxruntime-cpu-fp32"
DIGEST = {"images": "1" * 64, "truth": "2" * 64, "calibration": "3" * 64, "files": "4" * 64}

MACHINE = {
    "cpu": {
        "model": "Some CPU",
        "arch": "x86_64",
        "isa": ["avx2", "fma", "avx512f", "avx512_vnni"],
        "cores": 2,
        "usable_cores": 2,
    },
    "threads": 1,
    "versions": {
        "fqbench": "0.1.0",
        "python": "3.11.7",
        "onnxruntime": "1.26.0",
        "paddlepaddle": "2.6.2",
        "numpy": "1.26.4",
    },
}


def row(cell: str = CELL, ms: float = 2.0, **values) -> dict:
    model, backend, device, precision = cell.rsplit("-", 3)
    return {
        "cell": cell,
        "model": model,
        "backend": backend,
        "device": device,
        "precision": precision,
        "status": "ok",
        "reason": None,
        "weights": "trained",
        "method": "offline" if precision == "int8" else None,
        "latency_ms": {"p50": ms, "p90": ms, "p99": ms, "mean": ms, "min": ms, "n": 80},
        "launches": 5,
        "pinned": True,
        "dataset": "val.json",
        "hashes": dict(DIGEST),
        **values,
    }


def failed(cell: str = CELL, reason: str = "it was killed") -> dict:
    return row(cell, status="failed", reason=reason, latency_ms=None)


def launches(seconds: float, count: int = 5, rounds: int = 4) -> list:
    """Launches that differ by a tenth of a percent."""
    return [[[seconds * (1 + 0.0005 * (i % 3))] * 2] * rounds for i in range(count)]


def group(times: dict[str, float], kernel_s: float = 0.001) -> dict:
    """What ``samples.json`` holds of cells that were timed in turns, by their medians in ms."""
    return {
        "cells": {cell: launches(ms / 1e3) for cell, ms in times.items()},
        "reference": {kernel: launches(kernel_s) for kernel in ("float32", "int8", "copy")},
    }


def write(
    folder: Path,
    *rows: dict,
    groups: list | None = None,
    accuracies: dict | None = None,
    machine: dict | None = None,
    created: str = "2026-01-02T03:04:05+00:00",
) -> Path:
    """``results.json``, with ``samples.json`` where there are groups or accuracies."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": 1,
        "created": created,
        "machine": machine or deepcopy(MACHINE),
        "rows": list(rows),
    }
    path = folder / "results.json"
    path.write_text(json.dumps(content))
    if groups is not None or accuracies is not None:
        samples = {
            "schema": 1,
            "created": created,
            "groups": groups or [],
            "accuracies": accuracies or {},
        }
        (folder / "samples.json").write_text(json.dumps(samples))
    return path


def timed(folder: Path, ms: float, kernel_s: float = 0.001, **values) -> Path:
    """Results of one cell and the kernel beside it."""
    return write(folder, row(ms=ms), groups=[group({CELL: ms}, kernel_s)], **values)


def benchmark(
    path: Path, medians: dict[str, float], machine_info: dict | None = None, **info: object
) -> Path:
    """The file of pytest-benchmark; medians in seconds."""
    content = {
        "machine_info": machine_info
        or {
            "python_version": "3.11.7",
            "cpu": {"brand_raw": "Some CPU", "flags": ["avx2", "fma", "sse4_2"], "count": 2},
        },
        "commit_info": {"id": "unversioned"},
        "benchmarks": [
            {
                "group": None,
                "name": name.rpartition("::")[2],
                "fullname": name,
                "params": None,
                "extra_info": info,
                "options": {"min_rounds": 5},
                "stats": {"min": s, "max": s, "mean": s, "stddev": 0.0, "median": s, "rounds": 5},
            }
            for name, s in medians.items()
        ],
        "datetime": "2026-01-02T03:04:05+00:00",
        "version": "5.3.1",
    }
    path.write_text(json.dumps(content))
    return path
