"""What the key of a step's artifact is made of, and what its function is called with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fqbench.artifacts import Artifact
from fqbench.hardware import kernels_of
from fqbench.jsonvalue import Json
from fqbench.machine import version_of
from fqbench.steps.step import Files, Maybe, Node, Select, Step, Unkeyed

STEPS_VERSION = 46
"""Part of every key; raised when a step's result changes for the same inputs."""

Resolve = Callable[[Node], Artifact | None]
"""The artifact of a node; None where it failed."""
Digests = Callable[[Sequence[Path]], Sequence[str]]
"""SHA-256 of files, in hex."""


def key_inputs(step: Step, resolve: Resolve, digests: Digests) -> dict[str, Any]:
    """All that the artifact of ``step`` depends on. Raises UsageError for a file not readable."""
    environment = step.needs.environment
    found = {library: version_of(library, environment) for library in step.libraries}
    described: dict[str, Any] = {
        "version": STEPS_VERSION,
        "libraries": {
            library: version for library, version in found.items() if version is not None
        },
        "inputs": {
            name: _keyed(value, resolve, digests)
            for name, value in step.inputs.items()
            if not isinstance(value, Unkeyed)
        },
    }
    return {**described, "cpu": kernels_of()} if step.depends_on_cpu else described


def job_inputs(step: Step, resolve: Resolve) -> dict[str, Any]:
    """The fields of the step's job that its inputs fill."""
    return {name: _passed(value, resolve) for name, value in step.inputs.items()}


def _keyed(value: Any, resolve: Resolve, digests: Digests) -> Json:
    match value:
        case Maybe():
            return _keyed_artifact(resolve(value.node))
        case Files():
            # The order counts, and the digests' lengths are alike.
            joined = "".join(digests(value.paths)).encode()
            return {"files": hashlib.sha256(joined).hexdigest(), "count": len(value.paths)}
        case tuple():
            return [_keyed(each, resolve, digests) for each in value]
        case Step() | Select():
            return _keyed_artifact(resolve(value))
    plain: Json = value
    return plain


def _keyed_artifact(artifact: Artifact | None) -> Json:
    return None if artifact is None else {"artifact": artifact.key}


def _passed(value: Any, resolve: Resolve) -> Json:
    match value:
        case Unkeyed():
            return value.value
        case Maybe():
            return _folder(resolve(value.node))
        case Files():
            return [str(path) for path in value.paths]
        case tuple():
            return [_passed(each, resolve) for each in value]
        case Step() | Select():
            return _folder(resolve(value))
    plain: Json = value
    return plain


def _folder(artifact: Artifact | None) -> Json:
    return None if artifact is None else str(artifact.path)
