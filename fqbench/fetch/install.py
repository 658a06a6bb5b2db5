"""From a fetched file to its parts, checked beside their place, then put there by renaming."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fqbench import isolate
from fqbench.errors import FqbenchError, StepError
from fqbench.fetch.archive import Bounds, unpack
from fqbench.fetch.catalogue import Item, Part
from fqbench.fetch.content import content_of, lacks
from fqbench.fetch.listener import Report
from fqbench.fetch.members import ArchiveError

_NAMES_TOLD = 8
_READING_S = 120.0


@contextmanager
def unfolded(
    item: Item, file: Path, root: Path, bounds: Bounds, report: Report
) -> Iterator[dict[Part, Path]]:
    """Where the parts of ``item`` are, while the context lasts: beside their place, not in it.

    One process at a time may do this for an item. Raises ArchiveError where the file does not
    hold them all.
    """
    if not item.is_archive:
        yield {item.parts[0]: _checked_file(file)}
        return
    place = root / item.parts[0].place
    folder = place.with_name(f".{item.name}.unpacking")
    shutil.rmtree(folder, ignore_errors=True)  # a killed process's
    folder.mkdir(parents=True)
    try:
        unpack(file, folder, bounds, report)
        base = _base(item, folder)
        for part in item.parts:
            lack = lacks(part, base / part.inside)
            if lack is not None:
                raise ArchiveError(
                    f"{file.name} was unpacked, but {_shown(part)} {lack}; at its top it holds"
                    f" {_names(base)}"
                )
        yield {part: base / part.inside for part in item.parts}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(places: Mapping[Part, Path], root: Path) -> None:
    """Rename each part to its place, where it may be already if it is the same.

    Raises StepError where something else is.
    """
    for part, source in places.items():
        place = root / part.place
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            os.rename(source, place)
        elif content_of({part: source}) != content_of({part: place}):
            raise StepError(f"{place} is there with other content: move it away")


def _base(item: Item, folder: Path) -> Path:
    """The folder that holds the parts: single folders around them do not count."""
    while any(lacks(part, folder / part.inside) for part in item.parts):
        entries = list(folder.iterdir())
        if len(entries) != 1 or not entries[0].is_dir():
            break
        folder = entries[0]
    return folder


def _checked_file(file: Path) -> Path:
    """A file as it is. Raises ArchiveError where it is not whole, as far as can be told."""
    if file.suffix == ".onnx":
        try:
            isolate.call(
                "fqbench.spec.inspect:inspect_onnx",
                {"model": str(file)},
                timeout_s=_READING_S,
                name=f"reading {file.name}",
            )
        except FqbenchError as error:
            raise ArchiveError(str(error)) from error
    return file


def _shown(part: Part) -> str:
    return "it" if part.inside == "." else f"{part.inside} in it"


def _names(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return (", ".join(names[:_NAMES_TOLD]) or "nothing") + more
