"""What of an item is under the data root, and how a fetched file becomes its parts there.

Parts are unpacked and checked beside their place, then renamed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from fqbench import isolate
from fqbench.artifacts import file_digest
from fqbench.errors import FqbenchError, StepError
from fqbench.fetch.archive import ArchiveError, Bounds, unpack
from fqbench.fetch.catalogue import Item, Part
from fqbench.fetch.progress import Report
from fqbench.spec.contents import ModelFile

SHA256 = r"^[0-9a-f]{64}$"

_NAMES_SHOWN = 8
_READ_TIMEOUT_S = 120.0


class Content(BaseModel):
    """Files of an item: how many, their bytes, and a digest of names and bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: NonNegativeInt
    size: NonNegativeInt
    sha256: str = Field(pattern=SHA256)


def missing_reason(part: Part, path: Path) -> str | None:
    """Why ``path`` is not this part, as the end of a sentence; None where it is."""
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
    """``there``, ``missing``, or what is wrong; the files are not read."""
    missing = [
        (place, reason)
        for part, place in item.places(root).items()
        if (reason := missing_reason(part, place)) is not None
    ]
    if not missing:
        return "there"
    if len(missing) == len(item.parts) and not any(place.exists() for place, _ in missing):
        return "missing"
    return "; ".join(f"{place.name} {reason}" for place, reason in missing)


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


@contextmanager
def unpacked_parts(
    item: Item, file: Path, root: Path, bounds: Bounds, report: Report
) -> Iterator[dict[Part, Path]]:
    """The paths of the parts of ``item`` while the context lasts: beside their place, not in it.

    Only one process at a time may do this for an item. Raises ArchiveError where the file does not
    hold them all.
    """
    if not item.is_archive:
        yield {item.parts[0]: _checked_file(file)}
        return
    place = root / item.parts[0].place
    folder = place.with_name(f".{item.name}.unpacking")
    shutil.rmtree(folder, ignore_errors=True)  # left by a process that was killed
    folder.mkdir(parents=True)
    try:
        unpack(file, folder, bounds, report)
        base = _base(item, folder)
        for part in item.parts:
            reason = missing_reason(part, base / part.inside)
            if reason is not None:
                raise ArchiveError(
                    f"{file.name} was unpacked, but {_shown(part)} {reason}; at its top it holds"
                    f" {_names(base)}"
                )
        yield {part: base / part.inside for part in item.parts}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install(places: Mapping[Part, Path], root: Path) -> None:
    """Rename each part to its place; the same content may be there already.

    Raises StepError where other content is.
    """
    for part, source in places.items():
        place = root / part.place
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            os.rename(source, place)
        elif content_of({part: source}) != content_of({part: place}):
            raise StepError(f"{place} is there with other content: move it away")


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        found += [Path(place, name) for name in names if not _is_hidden(name)]
    return found


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _base(item: Item, folder: Path) -> Path:
    """The folder that holds the parts, inside any folders that hold nothing else."""
    while any(missing_reason(part, folder / part.inside) for part in item.parts):
        entries = list(folder.iterdir())
        if len(entries) != 1 or not entries[0].is_dir():
            break
        folder = entries[0]
    return folder


def _checked_file(file: Path) -> Path:
    """The file itself. Raises ArchiveError where it is visibly not whole."""
    if file.suffix == ".onnx":
        try:
            isolate.call(
                "fqbench.spec.inspect:inspect_onnx",
                ModelFile(model=file, quantized=True).to_json(),
                timeout_s=_READ_TIMEOUT_S,
                name=f"reading {file.name}",
            )
        except FqbenchError as error:
            raise ArchiveError(str(error)) from error
    return file


def _shown(part: Part) -> str:
    return "it" if part.inside == "." else f"{part.inside} in it"


def _names(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return (", ".join(names[:_NAMES_SHOWN]) or "nothing") + more
