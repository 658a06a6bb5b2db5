"""What tar and zip files hold, one member after the other; links, devices and tricks refused."""

from __future__ import annotations

import gzip
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from fqbench.errors import FqbenchError

_AT_ONCE = 1 << 20
_BLOCK = 512
_ENCRYPTED = 0x1
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, OverflowError, RecursionError, ValueError),
)
"""What the libraries raise for damaged files."""


class ArchiveError(FqbenchError):
    """An archive is damaged, or holds what nothing that is fetched here needs."""


@dataclass(frozen=True)
class Member:
    """A file, of ``size`` bytes when unpacked, or a folder; its name as the archive has it."""

    name: str
    is_folder: bool
    size: int
    open: Callable[[], IO[bytes]]


@contextmanager
def opened(archive: Path) -> Iterator[Iterator[Member]]:
    """The members of a tar, tar.gz or zip file, told apart by its first bytes.

    They are read as they are asked for and can be opened while the context lasts. Raises
    ArchiveError, also for what the libraries raise within the context.
    """
    with _told(archive), ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(archive.open("rb"))
        head = stream.read(4)
        stream.seek(0)
        if head.startswith(b"PK"):
            yield _zip_members(stack.enter_context(zipfile.ZipFile(stream)))
            return
        if head.startswith(b"\x1f\x8b"):
            stream = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=stream)))
        guarded: Any = _Guarded(stream)  # tarfile reads, seeks and tells, nothing else
        tar = stack.enter_context(tarfile.open(fileobj=guarded, mode="r:"))
        yield _tar_members(tar, guarded)


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    """What is wrong with the archive as ArchiveError; what is wrong with the disk passes."""
    try:
        yield
    except ArchiveError as error:
        raise ArchiveError(f"{archive.name} is refused: {error}") from error
    except _DAMAGE as error:
        said = " ".join(str(error).split())[:200]
        raise ArchiveError(f"{archive.name} is no whole tar, tar.gz or zip file: {said}") from error


class _Guarded:
    """A stream that gives a little at a time: headers of a tar file may claim any length."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _AT_ONCE:
            raise ArchiveError("a header in it is longer than any needs to be")
        return self._stream.read(size)


def _tar_members(tar: tarfile.TarFile, stream: _Guarded) -> Iterator[Member]:
    for info in tar:
        if not (info.isreg() or info.isdir()) or info.issparse():
            raise ArchiveError(f"{info.name!r} in it is neither a plain file nor a folder")
        yield Member(info.name, info.isdir(), info.size, partial(_tar_file, tar, info))
    # tarfile takes a file that is cut off between two members for a whole one.
    stream.seek(tar.offset)
    if stream.read(_BLOCK) != bytes(_BLOCK):
        raise ArchiveError("its end is missing")
    # Reading on makes gzip compare its checksum.
    if len(stream.read(_AT_ONCE)) == _AT_ONCE:
        raise ArchiveError("much stands behind its end")


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
