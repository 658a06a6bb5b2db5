"""One image of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fqbench.errors import UsageError


@dataclass(frozen=True)
class Sample:
    """``image_id`` is unique in its data set; ``label`` is the class where there is one."""

    image_id: int
    path: Path
    label: int | None = None


def confined(folder: Path, name: str, source: Path) -> Path:
    """``folder / name``. Raises UsageError where ``name``, found in ``source``, leads out of it."""
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise UsageError(f"{source}: file name {name!r} leads out of the images folder")
    return path
