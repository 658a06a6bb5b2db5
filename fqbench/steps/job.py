"""``Job``: what the function of a step is called with, the same record on both sides."""

from __future__ import annotations

import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from fqbench.isolate import Report

Function = Callable[[Any, Report], str | None]
"""What a step does: called with its job, and with what progress is reported to. It writes into the
job's folder, and may return a warning for the user."""


class Job(BaseModel):
    """Base of all jobs. Fields other than those named here are the step's inputs.

    ``folder``: where the function writes, empty at first. A job may also have ``cores``: how many
    the executor gives it; and ``scratch``: a folder that survives until the step is done, so that
    the function can resume after it was stopped.
    """

    # Deferred: which decoders there are is looked up when the first job is made.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    folder: Path


PROVIDED = frozenset({"folder", "cores", "scratch"})
"""Fields that the executor fills, not the plan."""


def job_type(function: Function) -> type[Job]:
    """The record that ``function`` takes, by its annotation.

    Raises TypeError where it takes none.
    """
    hints = typing.get_type_hints(function)
    kind = hints.get("job")
    if not (isinstance(kind, type) and issubclass(kind, Job)):
        raise TypeError(f"{function.__qualname__} must take a parameter 'job' that is a Job")
    return kind


def input_names(kind: type[Job]) -> frozenset[str]:
    """Names of the inputs that a step with such a job has."""
    return frozenset(kind.model_fields) - PROVIDED
