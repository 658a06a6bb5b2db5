"""One image of a data set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fqbench.errors import UsageError
from fqbench.vision.geometry import Box


@dataclass(frozen=True)
class Sample:
    """``image_id`` is unique in its data set; ``label`` is the class where there is one.

    ``box``: the part of the image that is looked at, where a model looks at one object; the same
    image may then be that of several samples.
    """

    image_id: int
    path: Path
    label: int | None = None
    box: Box | None = None


def confined(folder: Path, name: str, source: Path) -> Path:
    """``folder / name``. Raises UsageError where ``name``, found in ``source``, leads out of it.

    Links inside the folder may lead anywhere: its owner made them, data sets are often built
    of links, and the file that names the images cannot make one.
    """
    if name.startswith("/") or ".." in name.split("/"):
        raise UsageError(
            f"{source}: file name {name!r} leads out of the images folder: name files inside of it"
        )
    return folder / name


def require_files(paths: Sequence[Path], source: str) -> None:
    """Raise UsageError naming the first of ``paths`` that is missing, and the key ``source``.

    Their folders are listed instead of each file being looked at: a data set of a size to be
    evaluated may lie on a slow disk. A name that the listing spells otherwise (upper and lower
    case where the file system makes no difference) is looked at.
    """
    there = _listed({os.path.dirname(path) for path in paths})
    missing = [path for path in paths if str(path) not in there and not path.is_file()]
    if missing:
        raise UsageError(
            f"{source}: {missing[0]} is not there, {len(missing)} of {len(paths)} are missing"
            ": put the images there, or take them out of the list"
        )


def _listed(folders: Iterable[str]) -> set[str]:
    """Paths of the files in ``folders``; those that cannot be read have none."""
    found: set[str] = set()
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                found.update(entry.path for entry in entries if entry.is_file())
        except OSError:
            continue
    return found
