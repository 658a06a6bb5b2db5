"""Files that are written whole or not at all, and pointers that lie where files should."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fqbench.errors import UsageError

LFS_POINTER = b"version https://git-lfs"
"""How a pointer of Git LFS begins, which stands for a file that was not fetched."""


def write_bytes(path: Path, content: bytes, *, new: bool = False) -> Path:
    """Write a file and the folders above it; return its path.

    Whoever reads it meanwhile finds the old content or the new, never a part. Raises UsageError
    where it cannot be written, or where it is there and has to be ``new``; the old content then
    stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o644)
            if new:
                os.link(temporary, path)  # Fails where there is such a file.
                os.unlink(temporary)
            else:
                os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}; choose another place, or free some space"
        ) from error
    return path


def write_text(path: Path, text: str) -> Path:
    """As ``write_bytes``, in UTF-8."""
    return write_bytes(path, text.encode())


def write_new(path: Path, text: str) -> Path:
    """As ``write_text``, where there is no such file yet: an old one is never replaced."""
    return write_bytes(path, text.encode(), new=True)


def check_writable(folder: Path) -> None:
    """Raise UsageError where no file can be written into ``folder``, which need not be there."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        what = "it" if there == folder else str(there)
        raise UsageError(f"cannot write into {folder}: {what} is no folder: choose another folder")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write into {folder}: {error.strerror}; choose another folder"
        ) from error
