"""SHA-256 of files, each computed once for as long as the file stays as it is."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar

from fqbench.artifacts import file_digest
from fqbench.data.ahead import ahead
from fqbench.errors import UsageError
from fqbench.hardware import usable_cores

FILE = "digests.sqlite3"
WAIT_S = 30.0
AT_ONCE = 1000
"""As many digests are kept together, so that an interrupted run has not read all for nothing."""

WORKERS = usable_cores()
"""Threads that read: hashing lets others run."""

SETTLED_NS = 2_000_000_000
"""A file changed less than this before it was read may change again within the resolution of its
times, which then would not show it: its digest is not kept. (Git calls such entries racy.)"""

# Paths as bytes: not every name is text.
_TABLE = (
    "CREATE TABLE IF NOT EXISTS digests"
    " (path BLOB PRIMARY KEY, state TEXT NOT NULL, sha256 TEXT NOT NULL) WITHOUT ROWID"
)
_FIND = "SELECT sha256 FROM digests WHERE path = ? AND state = ?"
_INSERT = "INSERT OR REPLACE INTO digests VALUES (?, ?, ?)"

Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)


class _State(NamedTuple):
    """What shows that a file is another or has other bytes. ``changed_ns``: any change of it."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


class Digests:
    """Digests kept in ``folder``, shared by any number of processes.

    A kept one holds as long as the file's size, inode, device and both its times (of content and
    of status, which no tool sets back) are what they were. Where nothing can be kept, every file
    is read every time.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def of(self, paths: Sequence[Path]) -> list[str]:
        """SHA-256 of each file's bytes, in hex. Raises UsageError naming one that is not there."""
        settled = time.time_ns() - SETTLED_NS
        names = [os.path.abspath(path) for path in paths]
        states = {name: _state(name) for name in names}
        known = self._kept(states)
        unknown = [name for name in states if name not in known]
        for start in range(0, len(unknown), AT_ONCE):
            part = unknown[start : start + AT_ONCE]
            # A task of each thread, not of each file: handing over takes as long as a small file.
            shares = [part[first::WORKERS] for first in range(WORKERS)]
            found: dict[str, str] = {}
            for digests in ahead(_digests, shares, WORKERS, WORKERS):
                found.update(digests)
            known.update(found)
            still = [name for name in part if _state(name) == states[name]]
            lasting = [name for name in still if states[name].changed_ns < settled]
            self._keep({name: (str(states[name]), found[name]) for name in lasting})
        return [known[name] for name in names]

    def _kept(self, states: Mapping[str, _State]) -> dict[str, str]:
        """Those of the files with these ``states`` that are known."""

        def look_up(database: sqlite3.Connection) -> dict[str, str]:
            found = {}
            for name, state in states.items():
                row = database.execute(_FIND, (os.fsencode(name), str(state))).fetchone()
                if row is not None:
                    found[name] = str(row[0])
            return found

        return self._ask(look_up) or {}

    def _keep(self, digests: Mapping[str, tuple[str, str]]) -> None:
        rows = [(os.fsencode(name), *kept) for name, kept in digests.items()]
        if rows:
            self._ask(lambda database: database.executemany(_INSERT, rows))

    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer | None:
        """What the file answers; None where it cannot. It only saves time: no fault ends a run."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=WAIT_S)) as database, database:
                database.execute(_TABLE)
                return question(database)
        except (OSError, sqlite3.OperationalError) as error:
            _log.warning("digests are not kept in %s: %s", self._file, error)
        except sqlite3.DatabaseError as error:
            _log.warning("%s is damaged (%s) and is made again", self._file, error)
            self._file.unlink(missing_ok=True)
        return None


def file_sizes(paths: Sequence[Path]) -> list[int]:
    """Size of each file in bytes. Raises UsageError naming one that is not there."""
    return [_state(str(path)).size for path in paths]


def _state(name: str) -> _State:
    try:
        found = os.stat(name)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    return _State(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _digests(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = file_digest(Path(name))
        except OSError as error:
            raise _unreadable(name, error) from error
    return found


def _unreadable(name: str, error: Exception) -> UsageError:
    return UsageError(
        f"cannot read image {name}: {getattr(error, 'strerror', None) or error}"
        "; replace it, or take it out of the list"
    )
