"""The images that quantization sees, never among those that are evaluated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from fqbench.artifacts import file_digest
from fqbench.data.imagelist import lines
from fqbench.data.sample import Sample, confined
from fqbench.errors import UsageError
from fqbench.spec import Calibration

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def calibration_paths(calibration: Calibration) -> tuple[Path, ...]:
    """The images, by the list's order or by name. Raises UsageError where there is none."""
    folder = calibration.images
    if calibration.list is not None:
        listed = [
            confined(folder, name, calibration.list) for _, name, _ in lines(calibration.list)
        ]
    elif folder.is_dir():
        listed = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    else:
        raise UsageError(f"calibration.images: {folder} is not a folder")
    chosen = tuple(listed[calibration.start : calibration.start + calibration.count])
    if not chosen:
        raise UsageError(
            f"calibration.images: {folder} has {len(listed)} images,"
            f" none from number {calibration.start} on"
        )
    for path in chosen:
        if not path.is_file():
            raise UsageError(f"calibration image {path.name} is not in {folder}")
    return chosen


def calibration_hash(paths: Sequence[Path]) -> str:
    """SHA-256 over the contents of the images, in their order."""
    return hashlib.sha256("".join(file_digest(path) for path in paths).encode()).hexdigest()


def overlap(paths: Sequence[Path], samples: Sequence[Sample]) -> tuple[Path, ...]:
    """Those of ``paths`` whose content is among ``samples``, under whatever name."""
    sizes = {sample.path.stat().st_size for sample in samples}
    candidates = [path for path in paths if path.stat().st_size in sizes]
    wanted = {path.stat().st_size for path in candidates}
    evaluated = {file_digest(s.path) for s in samples if s.path.stat().st_size in wanted}
    return tuple(path for path in candidates if file_digest(path) in evaluated)
