"""A store is listed, pruned and verified, and what a run uses stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.artifacts import Artifact, Store
from fqbench.cli.main import main
from fqbench.presence import FOLDER, earliest
from fqbench.storage.contents import DAY, Entry, Total, by_age, by_step, contents
from fqbench.storage.pruning import Limits, chosen, prune, remove
from fqbench.storage.verification import verify

NOW = 1_800_000_000.0


def entry(number: int, days: float, size: int) -> Entry:
    used = round((NOW - days * DAY) * 1e9)
    return Entry("lower", f"{number:064x}", Path(f"/{number}"), size, used, whole=True)


def made(store: Store, step: str, number: int, size: int = 100) -> Artifact:
    return store.get_or_make(
        step, {"number": number}, lambda folder: _write(folder / "model.onnx", size)
    )


def _write(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))


def used_days_ago(artifact: Artifact, days: float) -> None:
    when = time.time() - days * DAY
    os.utime(artifact.path, (when, when))


def filled(root: Path) -> list[Artifact]:
    """Three artifacts of a store that nobody uses: used 40, 10 and 2 days ago."""
    store = Store(root)
    found = [made(store, step, n) for n, step in enumerate(("lower", "lower", "predict"))]
    for artifact, days in zip(found, (40, 10, 2), strict=True):
        used_days_ago(artifact, days)
    return found


ENTRIES = st.lists(
    st.tuples(st.floats(0, 100), st.integers(0, 10**6)), min_size=1, max_size=12
).map(lambda drawn: [entry(n, *each) for n, each in enumerate(sorted(drawn, reverse=True))])


class TestChosen:
    @given(ENTRIES, st.none() | st.floats(0, 100), st.none() | st.integers(0, 4 * 10**6))
    def test_what_goes_was_used_before_all_that_stays(self, entries, days, size):
        found = chosen(entries, Limits(days, size), NOW)
        left = entries[len(found) :]
        assert found == entries[: len(found)]
        if days is not None:
            assert all(NOW - each.used / 1e9 <= days * DAY for each in left)
        if size is not None:
            assert sum(each.size for each in left) <= size

    @given(ENTRIES, st.integers(0, 4 * 10**6))
    def test_the_newest_stays_where_there_is_room_for_it(self, entries, size):
        newest = entries[-1]
        found = chosen(entries, Limits(size=max(size, newest.size)), NOW)
        assert newest not in found

    def test_no_more_than_has_to_go(self):
        entries = [entry(1, 9, 50), entry(2, 8, 60), entry(3, 1, 70)]
        assert chosen(entries, Limits(size=130), NOW) == entries[:1]
        assert chosen(entries, Limits(size=129), NOW) == entries[:2]
        assert chosen(entries, Limits(days=8.5), NOW) == entries[:1]
        assert chosen(entries, Limits(), NOW) == []


class TestContents:
    def test_by_step_and_by_age(self, tmp_path):
        filled(tmp_path)
        entries = contents(tmp_path)
        assert [each.step for each in entries] == ["lower", "lower", "predict"]
        assert [(name, total.number) for name, total in by_step(entries).items()] == [
            ("lower", 2),
            ("predict", 1),
        ]
        size = entries[0].size
        assert size > 100
        ages = by_age(entries, time.time())
        assert [total.number for total in ages.values()] == [0, 1, 1, 1]
        assert ages[None] == Total(1, size)

    def test_what_was_left_over_is_told_apart_and_the_rest_left_out(self, tmp_path):
        (kept, *_) = filled(tmp_path)
        kept.path.with_suffix(".scratch").mkdir()
        (tmp_path / "lower" / "notes").mkdir()
        (tmp_path / "My folder").mkdir()
        assert [each.whole for each in contents(tmp_path)].count(False) == 1
        assert len(contents(tmp_path)) == 4

    def test_no_store_is_empty(self, tmp_path):
        assert contents(tmp_path / "none") == []


class TestPrune:
    def test_the_oldest_go_and_what_is_left_is_found(self, tmp_path):
        old, second, third = filled(tmp_path)
        found = prune(tmp_path, Limits(days=30))
        assert [each.path for each in found.removed] == [old.path]
        assert not old.path.exists()
        store = Store(tmp_path)
        assert store.find("lower", {"number": 1}) == second
        assert store.find("predict", {"number": 2}) == third
        assert not list(tmp_path.glob("*/*.removed"))

    def test_what_a_run_found_stays(self, tmp_path):
        filled(tmp_path)
        running = Store(tmp_path)
        assert running.find("lower", {"number": 0}) is not None
        time.sleep(1.1)  # Beyond what two times of files may be the same within.
        prune(tmp_path, Limits(days=1000))  # Its look at who is there changes nothing.
        found = prune(tmp_path, Limits(size=0))
        assert len(found.removed) == 2
        assert len(found.in_use) == len(found.kept) == 1
        assert running.find("lower", {"number": 0}).path == found.in_use[0].path
        del running
        assert earliest(tmp_path) == float("inf")

    def test_what_is_used_after_it_was_listed_stays(self, tmp_path):
        old, *_ = filled(tmp_path)
        (listed, *_) = contents(tmp_path)
        assert Store(tmp_path).find("lower", {"number": 0}) == old
        assert not remove(listed)
        assert Store(tmp_path).find("lower", {"number": 0}) == old

    def test_what_is_made_meanwhile_stays(self, tmp_path):
        filled(tmp_path)
        (listed, *_) = contents(tmp_path)
        store, held = Store(tmp_path), []
        with store._locked(Artifact(listed.step, listed.key, listed.path)):
            held.append(remove(listed))
        assert held == [False]
        assert remove(listed)

    def test_a_process_that_was_killed_uses_nothing(self, tmp_path):
        filled(tmp_path)
        program = (
            "import os, pathlib, sys; from fqbench.artifacts import Store;"
            f"s = Store(pathlib.Path({str(tmp_path)!r})); s.find('lower', {{'number': 0}});"
            "os.kill(os.getpid(), 9)"
        )
        subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
        assert list((tmp_path / FOLDER).iterdir())
        assert earliest(tmp_path) == float("inf")
        assert not list((tmp_path / FOLDER).iterdir())


class TestVerify:
    def test_a_damaged_file_is_found_and_made_again(self, tmp_path):
        damaged, *others = filled(tmp_path)
        damaged.file("model.onnx").write_bytes(b"x" * 100)
        checked, (found,) = verify(tmp_path)
        assert checked == 3
        assert (found.entry.path, found.removed) == (damaged.path, False)
        assert found.why == "model.onnx has other bytes"
        _, (found,) = verify(tmp_path, removing=True)
        assert found.removed
        assert verify(tmp_path) == (2, [])
        assert made(Store(tmp_path), "lower", 0) == damaged
        assert all(each.path.exists() for each in others)


class TestCommand:
    @pytest.fixture(autouse=True)
    def root(self, tmp_path, monkeypatch):
        monkeypatch.setenv("FQBENCH_CACHE", str(tmp_path))
        monkeypatch.setenv("COLUMNS", "200")
        return tmp_path

    def test_what_is_there(self, root, capsys):
        filled(root)
        assert main(["store"]) == 0
        shown = capsys.readouterr().out
        assert "lower" in shown
        assert f"3 artifacts, 0.0 MB in {root}" in shown
        assert main(["store", "--json"]) == 0
        story = json.loads(capsys.readouterr().out)
        assert story["artifacts"] == 3
        assert [each["step"] for each in story["steps"]] == ["lower", "predict"]
        assert [(each["days"], each["artifacts"]) for each in story["ages"]] == [
            (1, 0),
            (7, 1),
            (30, 1),
            (None, 1),
        ]

    def test_pruned(self, root, capsys):
        filled(root)
        assert main(["store", "prune", "--older", "5", "--json"]) == 0
        story = json.loads(capsys.readouterr().out)
        assert [story[key]["artifacts"] for key in ("removed", "in_use", "kept")] == [2, 0, 1]
        assert main(["store", "prune", "--keep-size", "0"]) == 0
        assert "Removed: 1 artifact, 0.0 MB. Kept: 0 artifacts" in capsys.readouterr().out

    def test_verified(self, root, capsys):
        damaged, *_ = filled(root)
        damaged.file("model.onnx").unlink()
        assert main(["store", "verify"]) == 1
        assert f"Damaged: {damaged.path} (files are missing" in capsys.readouterr().out
        assert main(["store", "verify", "--remove", "--json"]) == 0
        story = json.loads(capsys.readouterr().out)
        assert story["checked"] == 3
        assert [each["removed"] for each in story["damaged"]] == [True]

    def test_what_says_nothing_removes_nothing(self, root, capsys):
        filled(root)
        assert main(["store", "prune"]) == 2
        assert capsys.readouterr().err == (
            "fqbench: nothing says what to remove: give --older DAYS or --keep-size GB\n"
        )
        assert len(contents(root)) == 3

    @pytest.mark.parametrize("options", [("--older", "-1"), ("--keep-size", "nan")])
    def test_what_is_no_amount(self, options, root, capsys):
        with pytest.raises(SystemExit, match="2"):
            main(["store", "prune", *options])
        assert "is not a number of 0 or more" in capsys.readouterr().err
