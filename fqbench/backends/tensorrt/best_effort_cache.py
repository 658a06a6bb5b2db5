"""Best-effort cache files: read and write errors are ignored, what is not there is made again."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def read(path: Path) -> bytes:
    """What the file holds; nothing where there is none."""
    with suppress(OSError):
        return path.read_bytes()
    return b""


def keep(path: Path, content: bytes) -> None:
    """Write the file whole: others may read or write it now."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
