"""Strangers' archives, unpacked: plain files inside one folder, of bounded size.

All members are looked at before the first is written. Nothing is left to the libraries'
extraction: each file is created here, where there was none, with permissions of its own.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fqbench.fetch.disk import megabytes, require_space
from fqbench.fetch.listener import Report
from fqbench.fetch.members import ArchiveError, Member, opened

_CHUNK = 1 << 16
_NAME_LENGTH = 255


@dataclass(frozen=True)
class Bounds:
    """Bytes of all files together when unpacked, and how many files and folders."""

    size: int = 8 << 30
    members: int = 50_000


def unpack(archive: Path, folder: Path, bounds: Bounds, report: Report) -> None:
    """Unpack a tar, tar.gz or zip file into ``folder``, which is there and empty.

    Names that begin with a dot are left out: they are some system's litter. Raises ArchiveError,
    and StepError where the disk is too small; ``folder`` may hold some files then.
    """
    with opened(archive) as members:
        files = checked(members, bounds)
        if not files:
            raise ArchiveError("it holds no file")
        total = sum(member.size for member in files.values())
        require_space(folder, total)
        done = 0
        for path, member in files.items():
            _write(member, folder / path)
            done += member.size
            report(done, total)


def checked(members: Iterable[Member], bounds: Bounds) -> dict[PurePosixPath, Member]:
    """The files by their path. Raises ArchiveError for the first member that is not as it should.

    A path leads inside; no two are one, also where upper and lower case make no difference; no
    file is a folder as well. Members are taken one at a time, so that a bound that is passed
    ends the reading.
    """
    files: dict[PurePosixPath, Member] = {}
    top = PurePosixPath(".")
    taken: dict[str, tuple[PurePosixPath, bool]] = {_folded(top): (top, True)}
    size = 0
    for count, member in enumerate(members, start=1):
        size += member.size
        if count > bounds.members:
            raise ArchiveError(f"it holds more than {bounds.members} files and folders")
        if size > bounds.size:
            raise ArchiveError(f"unpacked it is larger than {megabytes(bounds.size)}")
        path = _inside(member.name)
        if not member.is_folder:
            if _folded(path) in taken:
                raise ArchiveError(f"{member.name!r} stands in it twice")
            files[path] = member
        entries = [(path, member.is_folder), *((parent, True) for parent in path.parents)]
        for entry in entries:
            if taken.setdefault(_folded(entry[0]), entry) != entry:
                raise ArchiveError(f"{member.name!r} in it is in the way of another member")
    return {path: member for path, member in files.items() if not _is_litter(path)}


def _inside(name: str) -> PurePosixPath:
    """The path of a member. Raises ArchiveError for one that could be anywhere else."""
    path = PurePosixPath(name)
    odd = any(letter == "\\" or not letter.isprintable() for letter in name)
    long = any(len(part.encode(errors="replace")) > _NAME_LENGTH for part in path.parts)
    if odd or long or path.is_absolute() or ".." in path.parts:
        raise ArchiveError(f"the name {name[:100]!r} in it leads out of it, or is no usable name")
    return path


def _folded(path: PurePosixPath) -> str:
    """The same for all spellings that some file system takes for one."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def _is_litter(path: PurePosixPath) -> bool:
    return any(part.startswith(".") for part in path.parts) or path.parts[:1] == ("__MACOSX",)


def _write(member: Member, path: Path) -> None:
    """Write a file where there is none, readable for all, whatever the archive says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    size = 0
    with os.fdopen(handle, "wb") as target, member.open() as source:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > member.size:
                break
            target.write(chunk)
    if size != member.size:
        raise ArchiveError(f"{member.name!r} in it is not of the size that it tells")
