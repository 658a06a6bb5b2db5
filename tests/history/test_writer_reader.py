"""A run into the history and out again, and what is refused."""

import os
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace

import pytest

from fqbench.history import database
from fqbench.history.database import FILE, HistoryError, exists, writing
from fqbench.history.provenance import Provenance
from fqbench.history.reader import opened, since_last
from fqbench.history.surroundings import Difference
from fqbench.history.writer import POINTS
from fqbench.measure.stats import Interval
from tests.support.kept_runs import (
    CELL,
    MACHINE,
    OTHER_MACHINE,
    failed,
    keep,
    row,
    samples,
    with_version,
)


def read_all(folder) -> None:
    with opened(folder) as reader:
        for cell in reader.cells():
            reader.series(cell, 100)


def test_a_run_comes_out_as_it_went_in(tmp_path):
    given = row(2.0, ratio=Interval(2.5, 2.4, 2.6), drop=Interval(0.5, 0.25, 1.0), margin=1.0)
    number = keep(tmp_path, given)
    with opened(tmp_path) as reader:
        (run,), (kept,) = reader.recent(5), reader.rows(number)
        assert reader.size().runs == 1
    assert run == kept.run
    assert (run.project, run.code, run.dirty) == ("https://host/models.git", "c" * 10, False)
    assert run.environment["onnxruntime"] == "1.31.0"
    assert run.machine.facts["model"] == "Some CPU"
    assert kept.cell == CELL
    assert kept.ms == Interval(2.0, 1.98, 2.02)
    assert kept.kernels is not None
    assert kept.kernels.value == pytest.approx(2.0, rel=0.01)
    assert (kept.ratio, kept.drop) == (given.ratio, given.drop)
    assert kept.answer.accuracy == 50.0
    assert kept.answer.files == "4" * 64
    assert kept.answer.points == (50.0, 49.0, 51.0)


def test_the_same_answers_are_kept_once(tmp_path):
    for _ in range(3):
        keep(tmp_path, row())
    keep(tmp_path, row(accuracy=49.0))
    with opened(tmp_path) as reader:
        (count,) = reader.connection.execute("SELECT count(*) FROM answers").fetchone()
    assert count == 2


def test_no_more_points_are_kept_than_are_needed(tmp_path):
    keep(tmp_path, row(), measured=samples(points=(50.0,) * 1001))
    with opened(tmp_path) as reader:
        assert len(reader.rows(1)[0].answer.points) == POINTS


def test_a_series_is_of_one_machine(tmp_path):
    keep(tmp_path, row(2.0))
    keep(tmp_path, row(3.0), machine=OTHER_MACHINE)
    keep(tmp_path, row(2.1))
    with opened(tmp_path) as reader:
        found = reader.series(CELL, 10)
    assert [[each.ms.value for each in series.rows] for series in found] == [[2.0, 2.1], [3.0]]


def test_a_series_is_of_one_project_and_one_way_of_measuring(tmp_path):
    keep(tmp_path, row(2.0))
    keep(tmp_path, row(3.0), source=Provenance("https://host/others.git"))
    keep(tmp_path, row(4.0, method="distillation"))
    keep(tmp_path, row(5.0, pinned=False))
    with opened(tmp_path) as reader:
        found = reader.series(CELL, 10)
    assert sorted([each.ms.value for each in series.rows] for series in found) == [
        [2.0],
        [3.0],
        [4.0],
        [5.0],
    ]


def test_a_failed_cell_stands_among_those_that_ran(tmp_path):
    keep(tmp_path, row())
    keep(tmp_path, failed("it was killed"))
    with opened(tmp_path) as reader:
        ((ran, crashed),) = (series.rows for series in reader.series(CELL, 10))
        assert reader.recent(1)[0].failed == 1
    assert (ran.status, crashed.status, crashed.reason) == ("ok", "failed", "it was killed")


def test_cells_are_found_by_a_pattern(tmp_path):
    keep(tmp_path, row(), row(precision="fp32"), row(model="other"))
    with opened(tmp_path) as reader:
        found = [series.place.cell for series in reader.series("net-*", 10)]
    assert found == ["net-onnxruntime-cpu-fp32", "net-onnxruntime-cpu-int8"]


def test_texts_of_others_are_printable(tmp_path):
    keep(tmp_path, failed("\x1b[31mred\r\n\x07", model="<img src=x onerror=alert(1)>\x1b[2J"))
    with opened(tmp_path) as reader:
        (kept,) = reader.rows(1)
    assert kept.reason == " [31mred   "
    assert kept.cell.isprintable()
    assert "<img src=x onerror=alert(1)>" in kept.cell


def test_a_name_that_is_no_unicode_is_kept(tmp_path):
    keep(tmp_path, failed("no file \udcff"), source=Provenance("/tmp/\udcff"))
    with opened(tmp_path) as reader:
        assert reader.rows(1)[0].reason == "no file ?"


def test_what_differs_since_the_last_run_on_this_machine(tmp_path):
    assert since_last(tmp_path, MACHINE) is None
    keep(tmp_path, row(), machine=with_version("1.30.0"))
    keep(tmp_path, row(), machine=OTHER_MACHINE)
    now = {**with_version("1.31.0"), "settings": {"governor": "powersave"}}
    found = since_last(tmp_path, now)
    assert found.run.number == 1
    assert found.differences == (
        Difference("governor", None, "powersave"),
        Difference("onnxruntime", "1.30.0", "1.31.0"),
    )
    assert since_last(tmp_path, with_version("1.30.0")).differences == ()


class TestRefused:
    """One sentence each, and nothing is changed."""

    def test_a_newer_schema(self, tmp_path):
        keep(tmp_path, row())
        with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
            connection.execute("PRAGMA user_version = 99")
        with pytest.raises(HistoryError, match=r"newer fqbench \(schema 99, this one knows 1\)"):
            keep(tmp_path, row())
        with pytest.raises(HistoryError, match="newer fqbench"), opened(tmp_path):
            pass

    def test_the_database_of_another_program(self, tmp_path):
        with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
            connection.execute("CREATE TABLE bookmarks (url TEXT)")
        before = (tmp_path / FILE).read_bytes()
        with pytest.raises(HistoryError, match="of another program"):
            keep(tmp_path, row())
        assert (tmp_path / FILE).read_bytes() == before

    @pytest.mark.parametrize(
        "content", [b"no database at all" * 400, b"SQLite format 3\0" + b"\xff" * 5000]
    )
    def test_a_damaged_file(self, tmp_path, content):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(HistoryError, match="damaged: move it aside"):
            keep(tmp_path, row())
        with pytest.raises(HistoryError, match="damaged"), opened(tmp_path):
            pass
        assert (tmp_path / FILE).read_bytes() == content

    def test_a_file_with_holes(self, tmp_path):
        for day in range(1, 20):
            keep(tmp_path, *(row(model=f"net{n}") for n in range(20)), day=day)
        path = tmp_path / FILE
        content = bytearray(path.read_bytes())
        content[4096 : len(content) // 2] = os.urandom(len(content) // 2 - 4096)
        path.write_bytes(bytes(content))
        with pytest.raises(HistoryError, match="damaged"):
            read_all(tmp_path)

    def test_a_cut_file(self, tmp_path):
        for day in range(1, 20):
            keep(tmp_path, *(row(model=f"net{n}") for n in range(20)), day=day)
        path = tmp_path / FILE
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(HistoryError, match="damaged"):
            read_all(tmp_path)

    def test_json_that_is_none(self, tmp_path):
        keep(tmp_path, row())
        with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
            connection.execute("UPDATE machines SET facts = '{'")
        with pytest.raises(HistoryError, match="damaged"), opened(tmp_path) as reader:
            reader.recent(1)

    def test_a_link_and_a_pipe(self, tmp_path):
        target = tmp_path / "target"
        (tmp_path / "linked").mkdir()
        (tmp_path / "linked" / FILE).symlink_to(target)
        with pytest.raises(HistoryError, match="is a link or no file"):
            keep(tmp_path / "linked", row())
        assert not target.exists()
        (tmp_path / "piped").mkdir()
        os.mkfifo(tmp_path / "piped" / FILE)
        with pytest.raises(HistoryError, match="is a link or no file"):
            keep(tmp_path / "piped", row())

    def test_a_folder_that_is_a_file(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(HistoryError, match="FQBENCH_HISTORY"):
            keep(tmp_path / "file", row())


@pytest.mark.parametrize("name", ["a b?mode=ro#x%20", "it's;--", "ünï\u202e", "\udcff"])
def test_folders_with_any_name(tmp_path, name):
    folder = tmp_path / name
    keep(folder, row())
    with opened(folder) as reader:
        assert reader.size().runs == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_error_in_a_run_leaves_nothing_of_it(tmp_path):
    keep(tmp_path, row())
    broken = replace(row(), batch=object())
    with pytest.raises(HistoryError):
        keep(tmp_path, row(model="first"), broken)
    with opened(tmp_path) as reader:
        assert reader.size().runs == 1
        assert reader.cells() == (CELL,)


def test_two_writers_wait_for_each_other(tmp_path):
    keep(tmp_path, row())
    with writing(tmp_path):
        other = threading.Thread(target=keep, args=(tmp_path, row()))
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join(20)
    with opened(tmp_path) as reader:
        assert reader.size().runs == 2


def test_a_writer_does_not_wait_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "WAIT_S", 0.2)
    keep(tmp_path, row())
    with writing(tmp_path), pytest.raises(HistoryError, match="another process"):
        keep(tmp_path, row())


def test_an_older_schema_is_brought_forward(tmp_path, monkeypatch):
    keep(tmp_path, row())
    further = (*database.MIGRATIONS, "ALTER TABLE runs ADD COLUMN note TEXT DEFAULT 'none'")
    monkeypatch.setattr(database, "MIGRATIONS", further)
    with opened(tmp_path) as reader:
        (note,) = reader.connection.execute("SELECT note FROM runs").fetchone()
        (version,) = reader.connection.execute("PRAGMA user_version").fetchone()
        assert reader.size().runs == 1
    assert (note, version) == ("none", 2)


def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    keep(tmp_path, row())
    further = (*database.MIGRATIONS, "ALTER TABLE runs ADD COLUMN note TEXT; SELECT nonsense")
    monkeypatch.setattr(database, "MIGRATIONS", further)
    with pytest.raises(HistoryError), opened(tmp_path):
        pass
    monkeypatch.setattr(database, "MIGRATIONS", further[:1])
    with opened(tmp_path) as reader:
        assert "note" not in dict(reader.connection.execute("SELECT * FROM runs").fetchone())


def test_a_folder_without_a_history(tmp_path):
    assert not exists(tmp_path)
    assert not exists(tmp_path / "missing")
    keep(tmp_path, row())
    assert exists(tmp_path)
