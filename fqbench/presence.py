"""Which processes use a store now: each holds a lock as long as it does.

The lock is the kernel's, so it ends with its process, however that ends. Its file's name says when
the process began: its time would change when others try the lock. A store that may not be written
is used unannounced.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
import weakref
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = "running"
ENDING = ".lock"

TICK = 1.0
"""Seconds by which times of files, and the clock, may differ."""

_NAME = re.compile(rf"(\d+)-\d+-\w+{re.escape(ENDING)}")


def announce(root: Path, user: object) -> None:
    """Say that this process uses the store in ``root``, as long as the object ``user`` lives."""
    with contextlib.suppress(OSError):
        folder = root / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(ENDING, f"{time.time_ns()}-{os.getpid()}-", folder)
        os.close(handle)
        lock = FileLock(name, thread_local=False)
        lock.acquire(blocking=False)
        weakref.finalize(user, _leave, lock)


def _leave(lock: FileLock) -> None:
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def earliest(root: Path) -> float:
    """When the first of those that use the store in ``root`` now began to, in seconds since 1970,
    or a little before; infinite where nobody does. What dead processes left is removed."""
    found = float("inf")
    for path in (root / FOLDER).glob(f"*{ENDING}"):
        named = _NAME.fullmatch(path.name)
        if named is not None and not _clear(path):
            found = min(found, int(named[1]) / 1e9 - TICK)
    return found


def _clear(path: Path) -> bool:
    """Remove the lock at ``path``, unless somebody holds it: whether nobody does."""
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except (Timeout, PermissionError):  # Another user's may be tried by nobody else.
        return False
    path.unlink(missing_ok=True)
    lock.release()
    return True
