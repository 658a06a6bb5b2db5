"""A task that another package brings by an entry point: everything works with it, as with ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import outside
from tests.support.tiny_spec import EVALUATED, write_spec

pytestmark = pytest.mark.slow

MARGIN = {"drop": 100.0, "source": "a test", "reason": "what it loses is not what is tested"}
CELLS = ("--backends", "onnxruntime", "--devices", "cpu")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed package with a task, and a spec of that task."""
    folder = tmp_path_factory.mktemp("outside")
    outside.install(folder, "guessing", {"fqbench.tasks": {"guessing": "guessing_task:TASK"}})
    shutil.copy(outside.ROOT / "tests/support/outside_task.py", folder / "guessing_task.py")
    write_spec(folder / "project", task="guessing", decode={"kind": "guesses"}, margins=[MARGIN])
    return folder


def python(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return outside.python(home, *arguments)


@pytest.fixture(scope="module")
def spec(home: Path) -> Path:
    return home / "project" / "tiny.yaml"


def test_its_cells_are_listed(home: Path, spec: Path) -> None:
    found = python(home, "-m", "fqbench", "list", "--spec", spec, *CELLS)
    assert found.returncode == 0
    assert found.stderr == "2 of 4 cells cannot run here: --all says why\n"
    assert len(found.stdout.splitlines()) == 2


def test_it_runs_and_both_reports_show_its_metric(home: Path, spec: Path) -> None:
    out = home / "out"
    found = python(
        home,
        *("-m", "tests.support.quick_fqbench", "run", "--verbose"),
        *("--spec", spec, *CELLS, "--out", out),
    )
    assert found.returncode == 0, found.stderr
    rows = json.loads((out / "results.json").read_text())["rows"]
    assert {row["metric"] for row in rows} == {"guessed"}
    for row in (row for row in rows if row["status"] == "ok"):
        # Two of four classes: more than a single answer, and not all.
        assert row["accuracy"] * EVALUATED / 100 == pytest.approx(
            round(row["accuracy"] * EVALUATED / 100)
        )
    int8 = next(row for row in rows if row["precision"] == "int8")
    assert int8["drop"]["ci95"][0] <= int8["drop"]["value"] <= int8["drop"]["ci95"][1]
    for report in (found.stdout, (out / "report.md").read_text()):
        assert "best of two" in report
        assert "best of two is the share of images whose class is guessed" in report.replace(
            "\n", " "
        )


def test_it_conforms(home: Path, spec: Path) -> None:
    found = python(
        home,
        *("-m", "pytest", "conformance", "-q", "-p", "no:cacheprovider"),
        *("--spec", spec, "--backends", "onnxruntime", "--devices", "cpu"),
    )
    assert found.returncode == 0, found.stdout
    assert "test_int8_accuracy_is_within_its_margin" not in found.stdout
    assert " passed" in found.stdout


def test_what_specs_may_say_is_listed(home: Path) -> None:
    path = write_spec(home / "unknown", task="guessing", decode={"kind": "gues"})
    found = python(home, "-m", "fqbench", "list", "--spec", path)
    assert found.returncode == 2
    told = " ".join(found.stderr.split())
    assert "kind is 'gues', expected 'logits', 'yolov5'" in told
    assert told.endswith("'guesses', 'python', 'none'")
    path = write_spec(home / "other", task="guesing")
    found = python(home, "-m", "fqbench", "list", "--spec", path)
    told = " ".join(found.stderr.split())
    assert "expected 'classification', 'detection'" in told
    assert "or 'guessing', found 'guesing'" in told


def test_a_decoder_of_another_task_does_not_fit(home: Path) -> None:
    path = write_spec(home / "unfit", task="guessing")
    found = python(home, "-m", "fqbench", "list", "--spec", path)
    assert "decode.kind 'logits' does not fit task 'guessing'" in found.stderr


def test_its_results_are_read_without_it(home: Path, spec: Path) -> None:
    """Reports of results that a package's task is in show its metric by name."""
    from fqbench.report.table import NOTHING, metric_label

    assert metric_label("guessed") == "guessed"
    assert metric_label("top1") == "top-1"
    assert metric_label(None) == NOTHING


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"detection": "guessing_task:TASK"}, "the name is taken by package fqbench"),
        ({"guessing": "guessing_task:Guesses"}, "expected fqbench.tasks.record.Task"),
        ({"guessing": "nothing_there:TASK"}, "cannot be loaded (ModuleNotFoundError"),
        (
            {"guessing": "guessing_task:TASK", "again": "guessing_again:TASK"},
            "dataset.kind 'named' of task guessing is not that of another task that calls its own"
            " so",
        ),
    ],
)
def test_a_task_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, broken: dict[str, str], sentence: str
) -> None:
    outside.install(tmp_path, "guessing", {"fqbench.tasks": broken})
    for name in ("guessing_task", "guessing_again"):
        shutil.copy(outside.ROOT / "tests/support/outside_task.py", tmp_path / f"{name}.py")
    found = python(tmp_path, "-m", "fqbench", "list", "--spec", write_spec(tmp_path / "project"))
    assert found.returncode == 2
    said = found.stderr.strip()
    assert said.startswith("fqbench: ")
    assert sentence in said
    assert "\n" not in said
