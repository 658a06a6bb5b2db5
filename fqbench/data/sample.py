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
    """``folder / name``. Raises UsageError where ``name``, found in ``source``, leads out of it.

    Links inside the folder may lead anywhere: its owner made them, data sets are often built
    of links, and the file that names the images cannot make one.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise UsageError(f"{source}: file name {name!r} leads out of the images folder")
    return folder / name


def require_files(paths: tuple[Path, ...], source: str) -> None:
    """Raise UsageError naming the first of ``paths`` that is missing, and the key ``source``."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UsageError(
            f"{source}: {missing[0]} is not there, {len(missing)} of {len(paths)} are missing"
        )
