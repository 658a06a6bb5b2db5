"""The child's side of a step."""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path
from typing import Any

from fqbench.isolate import Report
from fqbench.steps.job import job_type

SECONDS = "timing.json"


def perform(arguments: dict[str, Any], report: Report) -> str | None:
    """Call ``function`` with ``job``, and record in its folder how long it took.

    Returns its warning. Raises ValueError where the job is not what the function takes.
    """
    module, _, name = arguments["function"].partition(":")
    function = getattr(importlib.import_module(module), name)
    job = job_type(function).model_validate(arguments["job"])
    start = time.perf_counter()
    warning: str | None = function(job, report)
    # A step that was resumed knows better how long it took in all.
    if not (job.folder / SECONDS).exists():
        write_seconds(job.folder, time.perf_counter() - start)
    return warning


def write_seconds(folder: Path, seconds: float) -> None:
    """Record in a step's ``folder`` how long it took."""
    (folder / SECONDS).write_text(json.dumps({"seconds": seconds}))
