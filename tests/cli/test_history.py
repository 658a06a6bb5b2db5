"""``fqbench history``: lists, a cell over time, two runs; and every run keeps itself."""

import json
import logging
import os

import pytest

from fqbench.cli.main import main
from fqbench.history.database import FILE
from fqbench.history.keeping import Keeper
from tests.support.kept_runs import (
    CELL,
    MACHINE,
    OTHER_MACHINE,
    failed,
    keep,
    results,
    row,
    samples,
    with_version,
)


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FQBENCH_HISTORY", str(tmp_path / "history"))
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path / "history"


def run(*arguments: object) -> int:
    return main(["history", *map(str, arguments)])


def sentence(capsys) -> str:
    found = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(found) == 1, found
    return found[0]


class TestRuns:
    def test_the_last_runs_are_listed_newest_first(self, folder, capsys):
        for version in ("1.30.0", "1.31.0"):
            keep(folder, machine=with_version(version))
        keep(folder, failed("it was killed"))
        assert run() == 0
        out = capsys.readouterr().out
        assert [line.split()[0] for line in out.splitlines()[2:5]] == ["3", "2", "1"]
        assert f"{'c' * 10} " in out
        assert "Some CPU, 2 cores" in out
        assert f"3 runs, 3 rows, 0.1 MB in {folder / FILE}." in out

    def test_as_json(self, folder, capsys):
        keep(folder)
        assert run("--json") == 0
        found = json.loads(capsys.readouterr().out)
        (kept,) = found["runs"]
        assert kept["revision"] == "c" * 40
        assert kept["machine"]["model"] == "Some CPU"
        assert kept["environment"]["onnxruntime"] == "1.31.0"
        assert found["size"]["runs"] == 1

    def test_only_so_many(self, folder, capsys):
        for _ in range(3):
            keep(folder)
        run("--last", 2, "--json")
        assert [kept["number"] for kept in json.loads(capsys.readouterr().out)["runs"]] == [3, 2]

    def test_without_a_history_one_sentence(self, folder, capsys):
        assert run() == 2
        assert "there is no history in" in sentence(capsys)
        assert not folder.exists()

    def test_a_damaged_one_is_one_sentence(self, folder, capsys):
        folder.mkdir()
        (folder / FILE).write_bytes(b"nonsense" * 1000)
        assert run() == 1
        assert "it is damaged: move it aside" in sentence(capsys)


class TestCell:
    def test_its_rows_with_what_changed(self, folder, capsys):
        keep(folder, machine=with_version("1.30.0"))
        keep(folder, machine=with_version("1.31.0"), ms=2.5)
        keep(folder, failed("it was killed"))
        assert run(CELL) == 0
        title, _, _, first, second, third, *_ = capsys.readouterr().out.splitlines()
        assert title.startswith(f"{CELL}: Some CPU, 2 cores [")
        assert title.endswith("1 thread, by offline, of https://host/models.git")
        assert first.split()[4] == "2.00"
        assert second.rstrip().endswith("onnxruntime 1.30.0 → 1.31.0")
        assert third.rstrip().endswith("failed: it was killed")

    def test_machines_have_tables_of_their_own(self, folder, capsys):
        keep(folder)
        keep(folder, machine=OTHER_MACHINE)
        run(CELL)
        titles = [line for line in capsys.readouterr().out.splitlines() if line.startswith(CELL)]
        assert ["Some CPU" in title for title in titles] == [True, False]

    def test_several_cells_are_one_line_each(self, folder, capsys):
        keep(folder, row(), row(precision="fp32"))
        assert run("net-*") == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines[2:4]] == [CELL.replace("int8", "fp32"), CELL]

    def test_as_json(self, folder, capsys):
        keep(folder)
        run(CELL, "--json")
        (series,) = json.loads(capsys.readouterr().out)["series"]
        (kept,) = series["rows"]
        assert (series["cell"], series["unit"]) == (CELL, "kernels")
        assert kept["ms"]["value"] == 2.0
        assert kept["answer"]["files"] == "4" * 64
        assert kept["change"] is None

    def test_a_name_that_none_has(self, folder, capsys):
        keep(folder)
        assert run("yolo") == 2
        assert sentence(capsys) == (
            f"fqbench: no cell in the history is called 'yolo': known are {CELL}"
        )

    def test_names_are_text(self, folder, capsys):
        keep(folder, failed("[red]\x1b[31m", model="[bold]\x1b[2J<img src=x onerror=alert(1)>"))
        for words in ((), ("*",)):
            run(*words)
            out = capsys.readouterr().out
            assert "\x1b" not in out
        assert "[bold] [2J<img src=x onerror=alert(1)>-onnxruntime-cpu-int8" in out


class TestCompare:
    def test_the_verdict_and_its_exit_code(self, folder, capsys):
        keep(folder, ms=2.0)
        keep(folder, ms=2.5)
        assert run("compare", 1, 2) == 1
        assert "slower" in capsys.readouterr().out
        assert run("compare", 2, 1) == 0
        assert "faster" in capsys.readouterr().out

    def test_as_json(self, folder, capsys):
        keep(folder)
        keep(folder)
        assert run("compare", 1, 2, "--json") == 0
        (verdict,) = json.loads(capsys.readouterr().out)["cells"]
        assert (verdict["cell"], verdict["status"]) == (CELL, "same")

    def test_two_machines_are_refused(self, folder, capsys):
        keep(folder)
        keep(folder, machine=OTHER_MACHINE)
        assert run("compare", 1, 2) == 2
        assert "cannot be compared: the machine of one is Some CPU" in sentence(capsys)

    @pytest.mark.parametrize("words", [(), (1,), (1, 2, 3), (1, "last")])
    def test_what_is_no_pair_of_runs(self, folder, capsys, words):
        keep(folder)
        assert run("compare", *words) == 2
        assert "expected the numbers of two runs" in sentence(capsys)


class TestKeeping:
    """Nothing that is wrong with the history stops a run."""

    def kept(self, caplog, folder) -> str:
        with caplog.at_level(logging.WARNING):
            assert Keeper(folder.parent).keep(results(row()), samples()) is None
        (told,) = caplog.messages
        assert told.endswith("this run is not kept there, its results are written")
        return told

    def test_a_damaged_file(self, folder, caplog):
        folder.mkdir()
        (folder / FILE).write_bytes(b"nonsense" * 1000)
        assert "it is damaged" in self.kept(caplog, folder)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_only_be_read(self, folder, caplog):
        folder.mkdir(mode=0o500)
        assert "FQBENCH_HISTORY" in self.kept(caplog, folder)

    def test_what_the_environment_cannot_be_compared_with(self, folder, caplog):
        folder.mkdir()
        (folder / FILE).write_bytes(b"nonsense" * 1000)
        keeper = Keeper(folder.parent)
        assert keeper.since(MACHINE) is None
        assert keeper.since(MACHINE) is None
        assert len(caplog.messages) == 1

    def test_what_differs_is_that_before_the_run(self, folder):
        keep(folder, machine=with_version("1.30.0"))
        keeper = Keeper(folder.parent)
        assert str(*keeper.since(MACHINE).differences) == "onnxruntime 1.30.0 → 1.31.0"
        keeper.keep(results(row()), samples())
        assert keeper.since(MACHINE).run.number == 1
