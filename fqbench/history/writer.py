"""A run into the history, in one transaction."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fqbench import __version__
from fqbench.history.database import writing
from fqbench.history.provenance import Provenance
from fqbench.history.surroundings import digest, environment_of, machine_of
from fqbench.jsonvalue import Json
from fqbench.measure.reference import kernel_of
from fqbench.measure.stats import Interval
from fqbench.measure.undisturbed import fastest_ratio
from fqbench.results import Results, Row
from fqbench.samples import Samples

POINTS = 201
"""Accuracies kept of a cell: on all images and on 200 resamples, whose standard deviation is within
5 % of that of all (1 / √(2·200)). The same answers are kept once."""

Value = str | int | float | bytes | None


def record(results: Results, samples: Samples, source: Provenance, folder: Path) -> int:
    """Keep a run; return its number. Raises HistoryError where it cannot be kept.

    ``samples``: what ``results`` were computed from.
    """
    with writing(folder) as database:
        run = _run(database, results, source)
        for row in results.rows:
            _figures(database, run, row, samples)
        return run


def in_kernels(row: Row, samples: Samples) -> Interval | None:
    """A cell's time in units of the reference kernel that ran in the same rounds.

    It depends less on how fast the machine was just then. None on a GPU, and where a side is
    missing.
    """
    kernel = kernel_of(row.cell.precision)
    group = next((each for each in samples.groups if row.cell.id in each.cells), None)
    if row.cell.device == "gpu" or kernel is None or group is None:
        return None
    if kernel not in group.reference:
        return None
    return fastest_ratio(group.cells[row.cell.id], group.reference[kernel])


def _run(database: sqlite3.Connection, results: Results, source: Provenance) -> int:
    facts = results.machine
    machine, gpu = machine_of(facts), facts.get("gpu")
    environment = environment_of(facts)
    return _insert(
        database,
        "runs",
        created=results.created,
        project=source.project,
        revision=source.revision,
        dirty=source.dirty,
        fqbench=__version__,
        machine=_known(database, "machines", machine.key, {"facts": _json(machine.facts)}),
        gpu=None if gpu is None else gpu["name"],
        environment=_known(
            database, "environments", digest(environment), {"facts": _json(environment)}
        ),
        threads=facts["threads"],
        spread=facts["reference"]["spread"] if "reference" in facts else None,
        cells=len(results.rows),
        failed=sum(row.status == "failed" for row in results.rows),
    )


def _figures(database: sqlite3.Connection, run: int, row: Row, samples: Samples) -> None:
    latency = row.latency
    _insert(
        database,
        "figures",
        cell=_cell(database, run, row),
        run=run,
        status=row.status,
        reason=row.reason,
        method=row.method,
        weights=row.weights,
        batch=row.batch,
        pinned=row.pinned,
        launches=row.launches,
        p90=None if latency is None else latency.p90,
        minimum=None if latency is None else latency.minimum,
        margin=row.margin,
        agreement=row.agreement,
        size_mb=row.size_mb,
        answer=_answer(database, row, samples),
        **_interval("p50", None if latency is None else latency.p50),
        **_interval("kernels", in_kernels(row, samples)),
        **_interval("ratio", row.ratio),
        **_interval("loss", row.drop),
    )


def _cell(database: sqlite3.Connection, run: int, row: Row) -> int:
    """The number of a cell on the machine and in the project of the run."""
    of_run = "SELECT machine, gpu, project, threads FROM runs WHERE id = ?"
    facts = dict(database.execute(of_run, (run,)).fetchone())
    cell = row.cell
    facts["gpu"] = (facts["gpu"] or "") if cell.device == "gpu" else ""
    identity = {**facts, "name": _text(cell.id)}
    wheres = " AND ".join(f"{name} = :{name}" for name in identity)
    found = database.execute(f"SELECT id FROM cells WHERE {wheres}", identity).fetchone()
    if found is not None:
        return int(found["id"])
    return _insert(
        database,
        "cells",
        model=cell.model,
        backend=cell.backend,
        device=cell.device,
        precision=cell.precision,
        **identity,
    )


def _answer(database: sqlite3.Connection, row: Row, samples: Samples) -> int | None:
    """What the cell's files answered on which images; one of those that are known, or another."""
    if "files" not in row.hashes:
        return None
    points = samples.accuracies.get(row.cell.id)
    kept = None if points is None else np.asarray(points[:POINTS], "<f4").tobytes()
    values: dict[str, Value] = {
        **{name: row.hashes.get(name) for name in ("files", "artifact", "images", "truth")},
        "calibration": row.hashes.get("calibration"),
        "dataset": row.dataset,
        "metric": row.metric,
        "image_count": row.images,
        "accuracy": row.accuracy,
    }
    key = hashlib.sha256(_json(values).encode() + (kept or b"")).hexdigest()
    return _known(database, "answers", key, {**values, "points": kept})


def _known(database: sqlite3.Connection, table: str, key: str, values: Mapping[str, Value]) -> int:
    """The number of what has ``key``, which is added where it is new."""
    found = database.execute(f"SELECT id FROM {table} WHERE key = ?", (key,)).fetchone()
    return int(found["id"]) if found is not None else _insert(database, table, key=key, **values)


def _insert(database: sqlite3.Connection, table: str, **values: Value) -> int:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    kept = [_text(value) if isinstance(value, str) else value for value in values.values()]
    done = database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", kept)
    return int(done.lastrowid or 0)


def _interval(name: str, found: Interval | None) -> dict[str, float | None]:
    values = (None,) * 3 if found is None else (found.value, found.low, found.high)
    finite = (v if v is not None and math.isfinite(v) else None for v in values)
    return dict(zip((name, f"{name}_low", f"{name}_high"), finite, strict=True))


def _json(facts: Mapping[str, Json]) -> str:
    return json.dumps(facts, sort_keys=True)


def _text(value: str) -> str:
    """A text that can be stored: parts of file names need not be UTF-8."""
    return value.encode("utf-8", "replace").decode("utf-8")
