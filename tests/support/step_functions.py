"""Steps of the tests' own: what test_executor.py runs in child processes."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from fqbench.errors import StepError
from fqbench.isolate import Report, alone
from fqbench.measure.pinning import bound
from fqbench.steps import Job


class Add(Job):
    """``numbers`` and what is in the folders ``parts`` are added up."""

    numbers: tuple[int, ...] = ()
    parts: tuple[Path | None, ...] = ()
    files: tuple[Path, ...] = ()
    log: Path | None = None


def add(job: Add, report: Report) -> None:
    """Write the sum of all numbers, parts and files; a part that failed counts as -1."""
    parts = [-1 if part is None else int((part / "sum").read_text()) for part in job.parts]
    read = [int(path.read_text()) for path in job.files]
    (job.folder / "sum").write_text(str(sum(job.numbers) + sum(parts) + sum(read)))
    if job.log is not None:
        with job.log.open("a") as log:
            log.write("add\n")


class Work(Job):
    """``log``: where it is written when it began and ended, on which ``cores``."""

    name: str
    seconds: float
    log: Path
    cores: int


def work(job: Work, report: Report) -> None:
    """Take a while."""
    begin = time.monotonic()
    time.sleep(job.seconds)
    found = {
        "name": job.name,
        "begin": begin,
        "end": time.monotonic(),
        "cores": job.cores,
        "bound": sorted(os.sched_getaffinity(0)),
        "threads": os.environ["OMP_NUM_THREADS"],
    }
    with job.log.open("a") as log:
        log.write(json.dumps(found) + "\n")


class Log(Job):
    """``log``: what the step writes times into."""

    log: Path


def tick(job: Log, report: Report) -> None:
    """Write the time every few milliseconds."""
    with job.log.open("a", buffering=1) as log:
        for _ in range(200):
            log.write(f"{time.monotonic()}\n")
            time.sleep(0.005)


def time_(job: Log, report: Report) -> None:
    """Be alone, some time after ``tick`` of the same folder has begun."""
    while not (job.log.parent / "ticks").exists():
        time.sleep(0.01)
    time.sleep(0.1)
    with alone(report) as cores, bound(cores):
        found = {"begin": time.monotonic(), "bound": sorted(os.sched_getaffinity(0))}
        time.sleep(0.4)
        found["end"] = time.monotonic()
    job.log.write_text(json.dumps(found) + "\n")


class Fail(Job):
    """``how``: what becomes of it."""

    how: str


def fail(job: Fail, report: Report) -> None:
    """End badly."""
    if job.how == "error":
        raise StepError("the kernel is missing")
    if job.how == "bug":
        raise ValueError("no such thing")
    os.kill(os.getpid(), signal.SIGKILL)


class Eat(Job):
    """``mb``: MiB to use for ``seconds``."""

    mb: int
    seconds: float


def eat(job: Eat, report: Report) -> None:
    """Use memory for a while."""
    held = bytearray(os.urandom(1 << 20)) * job.mb
    time.sleep(job.seconds)
    (job.folder / "used").write_text(str(len(held)))


class Resume(Job):
    """``count``: how often it is stopped before it is done."""

    scratch: Path
    count: int


def resume(job: Resume, report: Report) -> str:
    """Go on from where the last try was killed."""
    counter = job.scratch / "tries"
    tries = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(tries))
    if tries <= job.count:
        os.kill(os.getpid(), signal.SIGKILL)
    (job.folder / "tries").write_text(str(tries))
    return f"it took {tries} tries"
