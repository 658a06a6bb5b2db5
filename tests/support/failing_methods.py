"""Functions of methods as they fail: their steps run in children, which import this module."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fqbench.isolate import Report
from fqbench.steps import Job
from fqbench.steps.reading import GRAPH


class Failing(Job):
    """``canonical``: the folder of the canonical graph."""

    canonical: Path


def crash(job: Failing, report: Report) -> None:
    os.abort()


def hang(job: Failing, report: Report) -> None:
    time.sleep(600)


def write_garbage(job: Failing, report: Report) -> None:
    (job.folder / GRAPH).write_bytes(b"no model")


def write_nothing(job: Failing, report: Report) -> None:
    """As a toolkit that gives up in silence."""
