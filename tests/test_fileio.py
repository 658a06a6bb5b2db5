"""Files are written whole or not at all."""

import pytest

from fqbench.errors import UsageError
from fqbench.fileio import write_bytes, write_text


def test_written_text_may_be_read_by_others(tmp_path):
    path = write_text(tmp_path / "a.txt", "Größe\n")
    assert path.read_text(encoding="utf-8") == "Größe\n"
    assert path.stat().st_mode & 0o777 == 0o644


def test_folders_above_are_made(tmp_path):
    assert write_bytes(tmp_path / "a/b/c", b"x").read_bytes() == b"x"


def test_what_cannot_be_written_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch):
    path = write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(UsageError, match=rf"cannot write {path}: full"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
