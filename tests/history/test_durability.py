"""Full disks, killed writers and read-only folders: no run that was kept is lost."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from fqbench.history.database import FILE, MIGRATIONS, HistoryError, _version
from fqbench.history.reader import opened
from tests.support.kept_runs import CELL, keep, row

ROOT = Path(__file__).parents[2]
MODELS = 20


def keep_models(folder, count: int = MODELS) -> int:
    return keep(folder, *(row(model=f"net{n}") for n in range(count)))


def counts(folder) -> dict[int, int]:
    """Rows by the number of the run, after all of the file was checked."""
    with opened(folder) as reader:
        (sound,) = reader.connection.execute("PRAGMA integrity_check").fetchone()
        assert sound == "ok"
        return {run.number: len(reader.rows(run.number)) for run in reader.recent(1000)}


@pytest.fixture
def limited_files():
    """Files may not grow beyond 100 kB, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def keep_until_full(folder) -> int:
    """The number of runs that were kept until the disk was full."""
    for kept in range(200):
        try:
            keep_models(folder)
        except HistoryError as error:
            return kept if "disk" in str(error) else -1
    raise AssertionError("it never became full")


def test_a_full_disk_loses_only_the_run_that_filled_it(tmp_path, limited_files):
    kept = keep_until_full(tmp_path)
    assert kept > 1
    assert counts(tmp_path) == dict.fromkeys(range(1, kept + 1), MODELS)
    assert (tmp_path / FILE).stat().st_size <= 100_000


def python(code: str, folder) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)


KILLED = """
import os, signal, sys
from pathlib import Path
from fqbench.history.database import writing
from fqbench.history.writer import _figures, _run
from tests.support.kept_runs import SOURCE, results, row, samples
found = results(*(row(model=f"new{n}") for n in range(500)))
with writing(Path(sys.argv[1])) as database:
    database.execute("PRAGMA cache_size = 1")  # Pages are written before the end.
    run = _run(database, found, SOURCE)
    for each in found.rows:
        _figures(database, run, each, samples())
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_undone_by_the_next(tmp_path):
    keep_models(tmp_path)
    assert python(KILLED, tmp_path).returncode == -signal.SIGKILL
    assert (tmp_path / f"{FILE}-journal").exists()
    assert counts(tmp_path) == {1: MODELS}
    assert keep_models(tmp_path) == 2


READING = """
import os, sys
from pathlib import Path
from fqbench.history.keeping import Keeper
from fqbench.history.reader import opened
from tests.support.kept_runs import results, row, samples
folder = Path(sys.argv[1])
keeper = Keeper(folder, folder)
assert keeper.keep(results(row()), samples()) == 1
os.setuid(65534)
with opened(folder) as reader:
    print(reader.size().runs, len(reader.rows(1)))
print(keeper.keep(results(row()), samples()))
"""


@pytest.mark.parametrize("statement", [1, 2, 3])
def test_a_history_that_is_made_while_it_is_looked_at_is_a_history(tmp_path, statement):
    seen = []

    def make(sql: str) -> None:
        seen.append(sql)
        if len(seen) == statement:
            keep_models(tmp_path)

    path = tmp_path / FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.set_trace_callback(make)
        assert _version(connection, path) in (0, len(MIGRATIONS))
    assert seen


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_that_may_only_be_read_is_read():
    with tempfile.TemporaryDirectory() as folder:  # Above pytest's, only its owner may look.
        os.chmod(folder, 0o755)
        done = python(READING, folder)
        assert done.stdout.split() == ["1", "1", "None"], done.stderr
        assert "it may only be read: choose another folder by FQBENCH_HISTORY" in done.stderr
        assert counts(Path(folder)) == {1: 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "count"), [("kills", 10), ("writers", 10)], ids=["ten kills", "two writers at once"]
)
def test_nothing_is_lost(check, count):
    command = [sys.executable, "-m", "tools.history_check", check, "--count", str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_pages_of_a_long_history_take_less_than_a_second(tmp_path):
    for _ in range(200):
        keep_models(tmp_path, 40)
    started = time.process_time()
    with opened(tmp_path) as reader:
        assert reader.size().rows == 8000
        reader.recent(20)
        reader.series(CELL.replace("net", "net7"), 100)
    assert time.process_time() - started < 1
