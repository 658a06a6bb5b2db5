from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fqbench.data import digests
from fqbench.data.digests import FILE, Digests
from fqbench.errors import UsageError


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "images"
    folder.mkdir()
    paths = [folder / f"{number}.jpg" for number in range(5)]
    for path in paths:
        path.write_text(path.name)
    return paths


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read, in order of their names."""
    names: list[str] = []
    real = digests.file_digest
    monkeypatch.setattr(digests, "file_digest", lambda path: names.append(path.name) or real(path))
    monkeypatch.setattr(digests, "SETTLED_NS", -(10**12))
    return names


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_read_once(files: list[Path], read: list[str], tmp_path: Path) -> None:
    expected = [_sha256(path) for path in files]
    assert Digests(tmp_path).of(files) == expected
    assert sorted(read) == [path.name for path in files]
    read.clear()
    assert Digests(tmp_path).of(files[::-1]) == expected[::-1]
    assert read == []


def test_a_file_named_twice_is_read_once(
    files: list[Path], read: list[str], tmp_path: Path
) -> None:
    assert Digests(tmp_path).of([files[0], files[0]]) == [_sha256(files[0])] * 2
    assert read == ["0.jpg"]


def test_a_changed_file_is_read_again(files: list[Path], read: list[str], tmp_path: Path) -> None:
    kept = Digests(tmp_path)
    kept.of(files)
    read.clear()
    before = files[0].stat()
    files[0].write_text("x.jpg")  # as long as before
    os.utime(files[0], ns=(before.st_atime_ns, before.st_mtime_ns))  # and with its time
    other = files[1].with_name("other")
    other.write_text("1.JPG")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, files[1])
    assert kept.of(files) == [_sha256(path) for path in files]
    assert sorted(read) == ["0.jpg", "1.jpg"]


def test_a_file_changed_just_now_is_not_trusted(
    files: list[Path], read: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "SETTLED_NS", 60 * 10**9)
    for _ in range(2):
        Digests(tmp_path).of(files[:1])
    assert read == ["0.jpg", "0.jpg"]
    later = time.time_ns() + 120 * 10**9
    monkeypatch.setattr(digests.time, "time_ns", lambda: later)
    for _ in range(2):
        Digests(tmp_path).of(files[:1])
    assert read == ["0.jpg"] * 3


def test_a_file_changed_while_it_is_read_is_not_trusted(
    files: list[Path], read: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = digests.file_digest

    def change(path: Path) -> str:
        digest = changing(path)
        path.write_text("changed")
        return digest

    monkeypatch.setattr(digests, "file_digest", change)
    Digests(tmp_path).of(files[:1])
    monkeypatch.setattr(digests, "file_digest", changing)
    assert Digests(tmp_path).of(files[:1]) == [hashlib.sha256(b"changed").hexdigest()]


def test_what_was_read_before_a_fault_is_kept(
    files: list[Path], read: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "AT_ONCE", 2)
    counting = digests.file_digest

    def vanishing(path: Path) -> str:
        if path == files[4]:
            path.unlink()
        return counting(path)

    monkeypatch.setattr(digests, "file_digest", vanishing)
    with pytest.raises(UsageError, match=r"cannot read image .*4.jpg: No such file"):
        Digests(tmp_path).of(files)
    read.clear()
    Digests(tmp_path).of(files[:4])
    assert read == []


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read image .*none.jpg: No such file"):
        Digests(tmp_path).of([tmp_path / "none.jpg"])
    with pytest.raises(UsageError, match=r"cannot read image .*: .*embedded null (byte|character)"):
        Digests(tmp_path).of([tmp_path / "a\0.jpg"])


def test_a_name_may_be_no_text(tmp_path: Path, read: list[str]) -> None:
    path = tmp_path / os.fsdecode(b"\xff.jpg")
    path.write_text("a")
    for _ in range(2):
        assert Digests(tmp_path).of([path]) == [hashlib.sha256(b"a").hexdigest()]
    assert len(read) == 1


def test_a_damaged_file_is_made_again(
    files: list[Path], read: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(b"no database, but long enough to be looked at" * 50)
    expected = [_sha256(path) for path in files]
    assert Digests(tmp_path).of(files) == expected
    assert f"{tmp_path / FILE} is damaged (file is not a database) and is made again" in caplog.text
    read.clear()
    assert Digests(tmp_path).of(files) == expected
    assert read == []


def test_a_file_that_cannot_be_written_costs_time_only(
    files: list[Path], read: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("no folder")
    for _ in range(2):
        assert Digests(blocked).of(files) == [_sha256(path) for path in files]
    assert len(read) == 10
    assert f"digests are not kept in {blocked / FILE}" in caplog.text


def test_a_file_locked_by_another_costs_time_only(
    files: list[Path], read: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "WAIT_S", 0.05)
    Digests(tmp_path).of(files[:1])
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("BEGIN EXCLUSIVE")
    assert Digests(tmp_path).of(files) == [_sha256(path) for path in files]
    other.close()


@pytest.mark.slow
def test_many_processes_keep_digests_together(files: list[Path], tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from fqbench.data import digests; digests.SETTLED_NS = -10**12;"
        "digests.Digests(pathlib.Path(sys.argv[1])).of([pathlib.Path(p) for p in sys.argv[2:]])"
    )
    command = [sys.executable, "-c", code, str(tmp_path), *map(str, files)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, b"")
    with sqlite3.connect(tmp_path / FILE) as database:
        (count,) = database.execute("SELECT count(*) FROM digests").fetchone()
    database.close()
    assert count == len(files)
