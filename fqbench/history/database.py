"""The file of the history: where it is, its schema, and what is wrong with it in one sentence.

SQLite with a rollback journal: a transaction is whole or undone by whoever opens the file next, a
second writer waits, and a folder that may only be read can be read.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import platformdirs

from fqbench.errors import FqbenchError

FILE = "history.sqlite"
WAIT_S = 60.0
"""Seconds that a writer waits for another; writing a run takes milliseconds."""

APPLICATION = 0x46514248
"""What marks the file as a history (``PRAGMA application_id``): the letters FQBH."""

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE machines (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        facts TEXT NOT NULL
    );
    CREATE TABLE environments (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        facts TEXT NOT NULL
    );
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        created TEXT NOT NULL,
        project TEXT NOT NULL,
        revision TEXT,
        dirty INTEGER,
        fqbench TEXT NOT NULL,
        machine INTEGER NOT NULL REFERENCES machines,
        gpu TEXT,
        environment INTEGER NOT NULL REFERENCES environments,
        threads INTEGER NOT NULL,
        spread REAL,
        cells INTEGER NOT NULL,
        failed INTEGER NOT NULL
    );
    CREATE INDEX runs_by_machine ON runs (machine);
    CREATE TABLE cells (
        id INTEGER PRIMARY KEY,
        machine INTEGER NOT NULL REFERENCES machines,
        gpu TEXT NOT NULL,
        project TEXT NOT NULL,
        threads INTEGER NOT NULL,
        name TEXT NOT NULL,
        model TEXT NOT NULL,
        backend TEXT NOT NULL,
        device TEXT NOT NULL,
        precision TEXT NOT NULL,
        UNIQUE (name, machine, gpu, project, threads)
    );
    CREATE TABLE answers (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        files TEXT,
        artifact TEXT,
        images TEXT,
        truth TEXT,
        calibration TEXT,
        dataset TEXT,
        metric TEXT,
        image_count INTEGER,
        accuracy REAL,
        points BLOB
    );
    CREATE TABLE figures (
        cell INTEGER NOT NULL REFERENCES cells,
        run INTEGER NOT NULL REFERENCES runs,
        status TEXT NOT NULL,
        reason TEXT,
        method TEXT,
        weights TEXT,
        batch INTEGER NOT NULL,
        pinned INTEGER,
        launches INTEGER,
        p50 REAL, p50_low REAL, p50_high REAL, p90 REAL, minimum REAL,
        kernels REAL, kernels_low REAL, kernels_high REAL,
        ratio REAL, ratio_low REAL, ratio_high REAL,
        loss REAL, loss_low REAL, loss_high REAL,
        margin REAL,
        agreement REAL,
        size_mb REAL,
        answer INTEGER REFERENCES answers,
        PRIMARY KEY (cell, run)
    ) WITHOUT ROWID;
    CREATE INDEX figures_by_run ON figures (run);
    """,
)
"""What makes each version of the schema of the one before; ``PRAGMA user_version`` counts them."""


class HistoryError(FqbenchError):
    """The history cannot be read or written."""


def default_folder() -> Path:
    """The folder of the history: FQBENCH_HISTORY, else in fqbench's place for user data."""
    named = os.environ.get("FQBENCH_HISTORY")
    return Path(named).absolute() if named else platformdirs.user_data_path("fqbench") / "history"


def exists(folder: Path) -> bool:
    """Whether anything was ever kept in ``folder``. Raises HistoryError as ``reading``."""
    with _explained(folder / FILE):
        return _size(folder / FILE) > 0


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """The history that is in ``folder``, to be read.

    Raises HistoryError where there is none, or it is damaged, newer than this fqbench or no
    history.
    """
    path = folder / FILE
    with _explained(path):
        _size(path)
        # Whoever may write also undoes what a killed writer left.
        writable = os.access(path, os.W_OK) and os.access(folder, os.W_OK)
        with closing(_connected(path, "rw" if writable else "ro")) as connection:
            _checked(connection, path)
            yield connection


@contextmanager
def writing(folder: Path) -> Iterator[sqlite3.Connection]:
    """The history in ``folder`` in one transaction, made where it is missing.

    Another writer is waited for. What was written is kept if the context ends without an error,
    else nothing of it. Raises HistoryError as ``reading``, and where it cannot be written.
    """
    path = folder / FILE
    with _explained(path):
        folder.mkdir(parents=True, exist_ok=True)
        _size(path)
        with closing(_connected(path, "rwc")) as connection:
            _checked(connection, path)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


def _size(path: Path) -> int:
    """Bytes of the file, 0 where there is none. Raises HistoryError where it is no plain file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(found.st_mode):
        # A link may lead to a file of somebody else's, a pipe would be waited for.
        raise HistoryError(
            f"the history {path} is a link or no file: remove it, or choose another folder by"
            " FQBENCH_HISTORY"
        )
    return found.st_size


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", timeout=WAIT_S, isolation_level=None, uri=True
    )
    connection.row_factory = sqlite3.Row
    try:
        # The file may be somebody else's: nothing in its schema is run.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _checked(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to this fqbench's version. Raises HistoryError where that cannot be."""
    if _version(connection, path) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it meanwhile.
        for script in MIGRATIONS[_version(connection, path) :]:
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the schema, 0 of a new file. Raises HistoryError where it is not usable."""
    # One statement sees one state of the file, which another process may just now be making.
    version, application, tables = connection.execute(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    if application != APPLICATION and (tables or version):
        raise HistoryError(
            f"{path} is a database of another program: choose another folder by FQBENCH_HISTORY"
        )
    if version > len(MIGRATIONS):
        raise HistoryError(
            f"the history {path} was written by a newer fqbench (schema {version}, this one knows"
            f" {len(MIGRATIONS)}): update fqbench, or choose another folder by FQBENCH_HISTORY"
        )
    return int(version)


REASONS = (
    ("malformed", "it is damaged: move it aside, and the next run begins another"),
    ("not a database", "it is damaged: move it aside, and the next run begins another"),
    ("is full", "the disk is full: free some space, or choose another folder by FQBENCH_HISTORY"),
    ("readonly", "it may only be read: choose another folder by FQBENCH_HISTORY"),
    ("unable to open", "it cannot be opened: choose another folder by FQBENCH_HISTORY"),
    ("locked", f"another process has held it for {WAIT_S:.0f} seconds: end that one first"),
    ("disk I/O", "its disk cannot be read or written: free some space, or check the disk"),
)
"""What SQLite says, in part, and what that means."""


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        said = str(error)
        known = (why for part, why in REASONS if part in said)
        raise HistoryError(f"the history {path}: {next(known, said)}") from error
    except OSError as error:
        raise HistoryError(
            f"the history {path}: {error.strerror or error}: choose another folder by"
            " FQBENCH_HISTORY"
        ) from error
