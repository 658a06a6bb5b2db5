"""Jobs of steps for tests: with no images to check on, and so with noise."""

from pathlib import Path
from typing import Any

from fqbench.isolate.parent import _run, _Watch
from fqbench.pipeline import steps
from fqbench.steps.job import job_type

READING = {
    "preprocess": {"resize": {"kind": "stretch", "size": [8, 8]}},
    "inputs": ["x"],
}


def described(step: str, folder: Path | str, **inputs: object) -> dict[str, Any]:
    """A job as JSON."""
    known = {"images": [], "reading": READING}
    fields = job_type(getattr(steps, step)).model_fields
    found = {**{name: value for name, value in known.items() if name in fields}, **inputs}
    return {**found, "folder": str(folder)}


def do(step: str, folder: Path | str, **inputs: object) -> None:
    """Run a step in this process."""
    function = getattr(steps, step)
    job = job_type(function).model_validate(described(step, folder, **inputs))
    function(job, lambda *_: None)


def perform(step: str, folder: Path | str, **inputs: object) -> None:
    """Run a step in a child process of one thread."""
    arguments = {
        "function": f"fqbench.pipeline.steps:{step}",
        "job": described(step, folder, **inputs),
    }
    quiet = {"OMP_NUM_THREADS": "1", "GLOG_minloglevel": "2"}
    _run("fqbench.steps.child:perform", arguments, quiet, _Watch("the test", timeout_s=300))
