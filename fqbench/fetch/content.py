"""What of an item is under the data root, and a digest of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from fqbench.artifacts import file_digest
from fqbench.fetch.catalogue import Item, Part

SHA256 = r"^[0-9a-f]{64}$"


class Content(BaseModel):
    """Files of an item: how many, their bytes, and a digest of names and bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: NonNegativeInt
    size: NonNegativeInt
    sha256: str = Field(pattern=SHA256)


def lacks(part: Part, path: Path) -> str | None:
    """What ``path`` lacks to be this part, as the end of a sentence; None where nothing."""
    if not path.exists():
        return "is not there"
    if not part.is_folder:
        return None if path.is_file() and path.stat().st_size > 0 else "is no file, or empty"
    if not path.is_dir():
        return "is no folder"
    for pattern in part.one:
        found = sorted(file.name for file in path.glob(pattern) if not _is_hidden(file.name))
        if len(found) != 1:
            several = ", ".join(found[:5])
            return f"holds {f'more than one {pattern}: {several}' if found else f'no {pattern}'}"
    missing = [pattern for pattern in part.some if not any(path.glob(pattern))]
    return f"holds no {missing[0]}" if missing else None


def state(item: Item, root: Path) -> str:
    """``there``, ``missing``, or what is wrong; what is there is not read."""
    lacking = [
        (place, lack)
        for part, place in item.places(root).items()
        if (lack := lacks(part, place)) is not None
    ]
    if not lacking:
        return "there"
    if len(lacking) == len(item.parts) and not any(place.exists() for place, _ in lacking):
        return "missing"
    return "; ".join(f"{place.name} {lack}" for place, lack in lacking)


def content_of(places: Mapping[Part, Path]) -> Content:
    """Read the files of all parts, at these places.

    The digest is that of lines as ``sha256sum`` prints them, sorted, with paths relative to the
    data root. Names that begin with a dot are left out.
    """
    lines, size = [], 0
    for part, place in places.items():
        for path in _files(place) if part.is_folder else [place]:
            name = PurePosixPath(part.place, path.relative_to(place))
            lines.append(f"{file_digest(path)}  {name}\n")
            size += path.stat().st_size
    digest = hashlib.sha256("".join(sorted(lines)).encode(errors="surrogateescape"))
    return Content(files=len(lines), size=size, sha256=digest.hexdigest())


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        found += [Path(place, name) for name in names if not _is_hidden(name)]
    return found


def _is_hidden(name: str) -> bool:
    return name.startswith(".")
