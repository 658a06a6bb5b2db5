"""Files that only save time: they are whole or not there, and nothing fails for them."""

import os

import pytest

from fqbench.backends.tensorrt.best_effort_cache import keep, read


def test_file_is_written_whole(tmp_path):
    path = tmp_path / "gpu" / "times.cache"
    assert read(path) == b""
    for content in (b"first" * 1000, b"second"):
        keep(path, content)
        assert read(path) == content
    assert [each.name for each in path.parent.iterdir()] == ["times.cache"]


def test_file_that_cannot_be_written_is_left_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "times.cache"
    keep(path, b"first")

    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    keep(path, b"second")
    assert read(path) == b"first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("path", ["file/times.cache", "."])
def test_place_where_no_file_can_be_is_harmless(tmp_path, path):
    (tmp_path / "file").write_text("a file where a folder is to be")
    keep(tmp_path / path, b"content")
    assert read(tmp_path / path) == b""
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
