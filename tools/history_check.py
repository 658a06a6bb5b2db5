"""Holds the history to what it promises: its size and speed, killed and full and damaged.

    python -m tools.history_check kills [--count 200]
    python -m tools.history_check pages [FOLDER] [--runs 10000] [--cells 40]
    python -m tools.history_check writers [--count 200]

*kills*: a process that writes one run after another is killed by SIGKILL at random moments; after
each, every run that was said to be kept is there and whole, and the next one can be written.
*pages*: a history of many runs, and how long each page of it takes. *writers*: two processes write
at once.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fqbench.cells import Cell
from fqbench.history import database
from fqbench.history.provenance import Provenance
from fqbench.history.reader import opened
from fqbench.history.timeline import timeline
from fqbench.history.writer import _figures, _run, record
from fqbench.machine import MachineFacts
from fqbench.measure.stats import Interval, Latency
from fqbench.report.html import history as html
from fqbench.results import Results, Row
from fqbench.samples import Samples

CELLS = 40
MACHINE: MachineFacts = {
    "cpu": {"model": "Made up", "arch": "x86_64", "isa": ["avx2"], "cores": 2, "usable_cores": 2},
    "threads": 1,
    "versions": {"fqbench": "0.1.0", "python": "3.11.7", "onnxruntime": "1.32.0"},
}


def run_of(cells: int, number: int, noise: np.random.Generator) -> Results:
    """A run of cells whose times become 10 % longer for good every 2000 runs."""
    rows = []
    for index in range(cells):
        model, precision = f"model{index // 2}", ("fp32", "int8")[index % 2]
        ms = (index + 1) * 1.1 ** (number // 2000) * float(np.exp(0.02 * noise.standard_normal()))
        latency = Latency(Interval(ms, 0.99 * ms, 1.01 * ms), 1.2 * ms, 1.3 * ms, ms, 0.95 * ms, 99)
        files = f"{index:02}{number // 100:06}".ljust(64, "0")
        row = Row(
            Cell(model, "onnxruntime", "cpu", precision),
            "ok",
            latency=latency,
            method="offline",
            launches=6,
            pinned=True,
            ratio=Interval(2.0, 1.9, 2.1),
            drop=Interval(0.2, 0.0, 0.4),
            margin=1.0,
            metric="top1",
            accuracy=75.0,
            images=500,
            dataset="labels.txt",
            hashes={"files": files, "artifact": files, "images": "1" * 64, "truth": "2" * 64},
        )
        rows.append(row)
    return replace(Results.now(MACHINE, rows), created=f"2026-01-01T00:{number % 60:02}:00+00:00")


def write_for_ever(folder: Path, cells: int, seed: int) -> None:
    """Write run after run; print the number of each that is kept."""
    noise = np.random.default_rng(seed)
    for number in range(1_000_000):
        found = run_of(cells, number, noise)
        print(record(found, Samples(), Provenance(), folder), flush=True)


def kills(options: argparse.Namespace) -> None:
    order = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder, kept, amid = Path(name), 0, 0
        for _ in range(options.count):
            told = _written_until_killed(folder, options.cells, order.uniform(0.0, options.longest))
            amid += Path(f"{folder / database.FILE}-journal").exists()
            kept = _check(folder, options.cells, kept, told)
        record(run_of(options.cells, 0, np.random.default_rng(0)), Samples(), Provenance(), folder)
        found = _check(folder, options.cells, kept, [kept + 1])
    print(
        f"{options.count} kills, {amid} of them amid a transaction: all {found} runs that were kept"
        f" are there with {options.cells} rows each, and none is there in part"
    )


def _started(folder: Path, cells: int, seed: int) -> tuple[int, BinaryIO]:
    """A writer of its own process, which need not import anything, and what it prints."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        os.dup2(writes, sys.stdout.fileno())
        try:
            write_for_ever(folder, cells, seed)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writes)
    return child, os.fdopen(reads, "rb")


def _killed(child: int, printed: BinaryIO) -> list[int]:
    """Kill a writer; the numbers of the runs that it said were kept since it was last read."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with printed:
        return [int(line) for line in printed.read().split(b"\n")[:-1]]


def _written_until_killed(folder: Path, cells: int, seconds: float) -> list[int]:
    """The numbers of the runs that a process said it had kept until it was killed."""
    child, printed = _started(folder, cells, 0)
    time.sleep(seconds)
    return _killed(child, printed)


def _check(folder: Path, cells: int, before: int, told: Sequence[int]) -> int:
    """The number of runs; ends the program where one is missing or in part."""
    if not database.exists(folder):
        return 0 if before == 0 and not told else sys.exit(f"missing: {told}")
    with opened(folder) as reader:
        counts = reader.connection.execute(
            "SELECT runs.id, count(figures.run) FROM runs LEFT JOIN figures ON run = runs.id"
            " GROUP BY runs.id"
        ).fetchall()
        (sound,) = reader.connection.execute("PRAGMA integrity_check").fetchone()
        found = dict(counts)
    missing = [number for number in (*range(1, before + 1), *told) if number not in found]
    partial = [number for number, count in found.items() if count != cells]
    if sound != "ok" or missing or partial:
        sys.exit(f"{sound}; missing: {missing}; in part: {partial}")
    return len(found)


def writers(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        both = [_started(Path(name), CELLS, seed) for seed in range(2)]
        numbers = [int(printed.readline()) for _, printed in both for _ in range(options.count)]
        for child, printed in both:
            numbers += _killed(child, printed)
        found = _check(Path(name), CELLS, 0, numbers)
    if len(numbers) != len(set(numbers)):
        sys.exit("two writers were given the same number")
    print(f"two writers: all {found} runs of {CELLS} cells are whole, no number was given twice")


def pages(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        if not database.exists(folder):
            _fill(folder, options.runs, options.cells)
        started = time.perf_counter()
        record(run_of(options.cells, 1, np.random.default_rng(1)), Samples(), Provenance(), folder)
        print(f"one more run is kept in {time.perf_counter() - started:.3f} s")
        with opened(folder) as reader:
            size = reader.size()
        print(f"{size.runs} runs, {size.rows} rows, {size.bytes / 1e6:.0f} MB")
        cell = f"model{options.cells // 4}-onnxruntime-cpu-int8"
        _timed("the last 20 runs", lambda: _recent(folder))
        _timed("one cell, 100 runs", lambda: _timelines(folder, cell, 100))
        _timed("one cell, 1000 runs", lambda: _timelines(folder, cell, 1000))
        _timed("all cells, 100 runs each", lambda: _timelines(folder, "*", 100))
        _timed("the page of all of them", lambda: _page(folder, Path(name) / "history.html"))


def _fill(folder: Path, runs: int, cells: int) -> None:
    """Many runs in one transaction, which is quicker than one each."""
    noise, started = np.random.default_rng(0), time.perf_counter()
    with database.writing(folder) as connection:
        for number in range(runs):
            found = run_of(cells, number, noise)
            kept = _run(connection, found, Provenance("", f"{number // 5:040}", False))
            for row in found.rows:
                _figures(connection, kept, row, Samples())
    print(f"{runs} runs of {cells} cells written in {time.perf_counter() - started:.0f} s")


def _recent(folder: Path) -> None:
    with opened(folder) as reader:
        reader.recent(20)
        reader.size()


def _timelines(folder: Path, pattern: str, last: int) -> None:
    with opened(folder) as reader:
        for series in reader.series(pattern, last):
            timeline(series)


def _page(folder: Path, file: Path) -> None:
    """Read all cells and write their page: the command without Python's start and imports."""
    with opened(folder) as reader:
        found = [timeline(series) for series in reader.series("*", 100)]
        shown = html.page(found, reader.recent(20), reader.size(), str(reader.path))
    html.write(shown, file)


def _timed(what: str, page: object) -> None:
    """Print the middle of five times."""
    assert callable(page)
    times, used = [], []
    for _ in range(5):
        started, cpu = time.perf_counter(), time.process_time()
        page()
        times.append(time.perf_counter() - started)
        used.append(time.process_time() - cpu)
    print(f"{what}: {np.median(times):.3f} s, of the CPU {np.median(used):.3f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=("kills", "pages", "writers"))
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--longest", type=float, default=0.3, help="seconds until a kill, at most")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--cells", type=int, default=CELLS)
    options = parser.parse_args()
    {"kills": kills, "pages": pages, "writers": writers}[options.check](options)


if __name__ == "__main__":
    main()
