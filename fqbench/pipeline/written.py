"""What steps wrote into their artifacts, read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.artifacts import Artifact, file_digest
from fqbench.backends import backend as backend_of
from fqbench.errors import StepError

Points = NDArray[np.float64]
"""Accuracy on all images, then on resamples of them."""


def points_of(scored: Artifact) -> Points:
    """What the step ``score`` wrote."""
    return np.array(read(scored, "accuracy.json"))


def seconds_of(artifacts: Iterable[Artifact]) -> float:
    """Seconds that making different ``artifacts`` took."""
    different = {artifact.key: artifact for artifact in artifacts}
    return sum(float(read(each, "timing.json")["seconds"]) for each in different.values())


def read(artifact: Artifact, name: str) -> Any:
    """The JSON file ``name`` of an artifact."""
    return json.loads(artifact.file(name).read_text())


def loaded_files(backend: str, artifact: Artifact) -> list[Path]:
    """The files of ``artifact`` that the backend loads. Raises StepError where there are none."""
    known = backend_of(backend)
    found = sorted(path for path in artifact.path.iterdir() if path.suffix in known.loads)
    if not found:
        raise StepError(
            f"{artifact.path} holds no file that {known.label} loads ({', '.join(known.loads)}):"
            " delete the folder, and the next run makes it again"
        )
    return found


def size_mb(files: Sequence[Path]) -> float:
    """Size of what the backend loads, in 10^6 bytes."""
    return round(sum(path.stat().st_size for path in files) / 1e6, 3)


def files_digest(files: Sequence[Path]) -> str:
    """SHA-256 of what the backend loads: the same files may come from other steps."""
    listed = "".join(f"{path.name} {file_digest(path)}\n" for path in files)
    return hashlib.sha256(listed.encode()).hexdigest()
