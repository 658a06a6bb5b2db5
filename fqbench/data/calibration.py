"""The images that quantization sees, never among those that are evaluated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from fqbench.artifacts import file_digest
from fqbench.data.imagelist import lines
from fqbench.data.sample import Sample, confined, require_files
from fqbench.errors import UsageError
from fqbench.spec import Calibration

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


def calibration_paths(calibration: Calibration) -> tuple[Path, ...]:
    """The images, in the order of the list or of their names: as many of ``count`` as there are.

    Raises UsageError where there is none, or one of the list is missing.
    """
    folder, source = calibration.images, calibration.list
    if source is not None:
        listed = [confined(folder, line.name, source) for line in lines(source)]
    else:
        listed = image_files(folder, "calibration.images")
    chosen = tuple(listed[calibration.start : calibration.start + calibration.count])
    if not chosen:
        raise UsageError(
            f"calibration.images: {source or folder} has {len(listed)} images,"
            f" calibration.start is {calibration.start}"
        )
    require_files(chosen, "calibration.images")
    return chosen


def image_files(folder: Path, source: str) -> list[Path]:
    """The images in ``folder``, by name. Raises UsageError with the key ``source``."""
    if not folder.is_dir():
        raise UsageError(f"{source}: {folder} is not a folder")
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)


def calibration_hash(paths: Sequence[Path]) -> str:
    """SHA-256 over the contents of the images, in their order.

    Not over their names: the same images under others calibrate the same.
    """
    return hashlib.sha256("".join(file_digest(path) for path in paths).encode()).hexdigest()


def overlap(paths: Sequence[Path], samples: Sequence[Sample]) -> tuple[Path, ...]:
    """Those of ``paths`` whose content is among ``samples``, under whatever name.

    Only files of equal size are read. The same picture in another encoding is not found.
    """
    sizes = {sample.path.stat().st_size for sample in samples}
    candidates = [path for path in paths if path.stat().st_size in sizes]
    wanted = {path.stat().st_size for path in candidates}
    evaluated = {file_digest(s.path) for s in samples if s.path.stat().st_size in wanted}
    return tuple(path for path in candidates if file_digest(path) in evaluated)
