"""Untrusted archives, unpacked: plain files inside one folder, of bounded size.

tar, tar.gz and zip files; links, devices and inconsistent headers are refused. All members are
checked before the first is written. Nothing is left to the libraries' extraction: each file is
created here, where there was none, with permissions of its own.
"""

from __future__ import annotations

import gzip
import os
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from fqbench.errors import FqbenchError
from fqbench.fetch.progress import Report, megabytes, require_space

_CHUNK = 1 << 16
_NAME_LENGTH = 255
_LARGEST_READ = 1 << 20
_BLOCK = 512
_ENCRYPTED = 0x1
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, OverflowError, RecursionError, ValueError),
)
"""What the libraries raise for damaged files."""


class ArchiveError(FqbenchError):
    """An archive is damaged, or holds what no item needs, such as links or devices."""


@dataclass(frozen=True)
class Member:
    """A file, of ``size`` bytes when unpacked, or a folder; its name as the archive has it."""

    name: str
    is_folder: bool
    size: int
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Bounds:
    """Bytes of all files together when unpacked, and how many files and folders."""

    size: int = 8 << 30
    members: int = 50_000


def unpack(archive: Path, folder: Path, bounds: Bounds, report: Report) -> None:
    """Unpack a tar, tar.gz or zip file into ``folder``, which is there and empty.

    Hidden files and OS metadata are left out. Raises ArchiveError, and StepError where the disk is
    too small; ``folder`` may hold some files then.
    """
    with open_members(archive) as members:
        files = check_members(members, bounds)
        if not files:
            raise ArchiveError("it holds no file")
        total = sum(member.size for member in files.values())
        require_space(folder, total)
        done = 0
        for path, member in files.items():
            _write(member, folder / path)
            done += member.size
            report(done, total)


def check_members(members: Iterable[Member], bounds: Bounds) -> dict[PurePosixPath, Member]:
    """The files by their path. Raises ArchiveError for the first member that breaks a rule.

    Each path stays inside the folder; no two are the same, also on file systems that ignore case;
    no file is a folder as well. Members are read one at a time, so that reading ends where a bound
    is exceeded.
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
                raise ArchiveError(f"{member.name!r} is in it twice")
            files[path] = member
        entries = [(path, member.is_folder), *((parent, True) for parent in path.parents)]
        for entry in entries:
            if taken.setdefault(_folded(entry[0]), entry) != entry:
                raise ArchiveError(f"{member.name!r} in it is in the way of another member")
    return {path: member for path, member in files.items() if not _is_hidden_or_metadata(path)}


@contextmanager
def open_members(archive: Path) -> Iterator[Iterator[Member]]:
    """The members of a tar, tar.gz or zip file, distinguished by its first bytes.

    They are read lazily and can be opened while the context lasts. Raises ArchiveError, also for
    what the libraries raise within the context.
    """
    with _translate_errors(archive), ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(archive.open("rb"))
        head = stream.read(4)
        stream.seek(0)
        if head.startswith(b"PK"):
            yield _zip_members(stack.enter_context(zipfile.ZipFile(stream)))
            return
        if head.startswith(b"\x1f\x8b"):
            stream = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=stream)))
        bounded: Any = _BoundedReads(stream)  # tarfile reads, seeks and tells, nothing else
        tar = stack.enter_context(tarfile.open(fileobj=bounded, mode="r:"))
        yield _tar_members(tar, bounded)


def _inside(name: str) -> PurePosixPath:
    """The path of a member. Raises ArchiveError for one that could lead outside."""
    path = PurePosixPath(name)
    odd = any(letter == "\\" or not letter.isprintable() for letter in name)
    long = any(len(part.encode(errors="replace")) > _NAME_LENGTH for part in path.parts)
    if odd or long or path.is_absolute() or ".." in path.parts:
        raise ArchiveError(f"the name {name[:100]!r} in it leads out of it, or is no usable name")
    return path


def _folded(path: PurePosixPath) -> str:
    """The same for all spellings that some file system considers equal."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def _is_hidden_or_metadata(path: PurePosixPath) -> bool:
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
        raise ArchiveError(f"{member.name!r} in it is not of its stated size")


@contextmanager
def _translate_errors(archive: Path) -> Iterator[None]:
    """Raise errors of the archive as ArchiveError; those of the disk pass."""
    try:
        yield
    except ArchiveError as error:
        raise ArchiveError(f"{archive.name} is refused: {error}") from error
    except _DAMAGE as error:
        said = " ".join(str(error).split())[:200]
        raise ArchiveError(
            f"{archive.name} is not a complete tar, tar.gz or zip file: {said}"
        ) from error


class _BoundedReads:
    """A stream that limits each read: headers of a tar file may claim any length."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_READ:
            raise ArchiveError("a header in it is longer than any needs to be")
        return self._stream.read(size)


def _tar_members(tar: tarfile.TarFile, stream: _BoundedReads) -> Iterator[Member]:
    for info in tar:
        if not (info.isreg() or info.isdir()) or info.issparse():
            raise ArchiveError(f"{info.name!r} in it is neither a plain file nor a folder")
        yield Member(info.name, info.isdir(), info.size, partial(_tar_file, tar, info))
    # tarfile takes a file that is truncated between two members for a whole one.
    stream.seek(tar.offset)
    if stream.read(_BLOCK) != bytes(_BLOCK):
        raise ArchiveError("its end is missing")
    # Reading on makes gzip compare its checksum.
    if len(stream.read(_LARGEST_READ)) == _LARGEST_READ:
        raise ArchiveError("much data follows its end")


def _tar_file(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(info)
    if stream is None:
        raise ArchiveError(f"{info.name!r} in it is no file")
    return stream


def _zip_members(zipped: zipfile.ZipFile) -> Iterator[Member]:
    for info in zipped.infolist():
        mode = stat.S_IFMT(info.external_attr >> 16)
        if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(f"{info.filename!r} in it is neither a plain file nor a folder")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _ZIP_METHODS:
            raise ArchiveError(f"{info.filename!r} in it is encrypted or compressed unusually")
        yield Member(info.filename, info.is_dir(), info.file_size, partial(zipped.open, info))
