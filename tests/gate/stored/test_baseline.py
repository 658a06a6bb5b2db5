"""Baselines: what they keep, and the broken values that they refuse."""

import json
from pathlib import Path

import pytest

from fqbench.cli.main import main
from fqbench.gate.records import Row
from fqbench.gate.stored.baseline import broken
from fqbench.gate.stored.files import read_stored
from tests.support.stored_files import (
    CELL,
    FP32,
    MACHINE,
    benchmark,
    failed,
    group,
    row,
    timed,
    write,
)

SOUND = {
    "metric": "top1",
    "accuracy": 70.0,
    "drop": {"value": 0.5, "ci95": [0.0, 1.0]},
    "margin": 1.0,
    "ratio": {"value": 2.0, "ci95": [1.9, 2.1]},
    "agreement": 0.9,
}


def freeze(tmp_path: Path, *arguments: object) -> int:
    return main(["baseline", *map(str, arguments), "--out", str(tmp_path / "baseline.json")])


def complaint(capsys) -> str:
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("fqbench: ")]
    return line


def test_sound_row_has_nothing_broken():
    assert list(broken(Row.model_validate(row(**SOUND)))) == []


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"drop": {"value": 2.0, "ci95": [1.1, 3]}}, "its accuracy drops by 2.00 points, its marg"),
        ({"drop": {"value": 1.01, "ci95": [0, 2]}}, None),
        ({"drop": {"value": 9, "ci95": [5.1, 12]}, "margin": None}, "its accuracy drops by 9.00 p"),
        ({"drop": {"value": 9, "ci95": [4.9, 12]}, "margin": None}, None),
        ({"ratio": {"value": 0.9, "ci95": [0.8, 0.99]}}, "INT8 is slower than FP32 (ratio 0.90)"),
        ({"ratio": {"value": 0.99, "ci95": [0.9, 1.01]}}, None),
        ({"agreement": 0.09}, "its outputs agree with FP32's by 0.09 only"),
        ({"agreement": 0.1}, None),
        ({"accuracy": None}, "it has no accuracy"),
        ({"accuracy": None, "needs": "needs labels"}, None),
        ({"status": "failed", "reason": "it was killed"}, "it failed: it was killed"),
        ({"status": "unsupported", "reason": "no GPU"}, None),
    ],
)
def test_broken_values(values, reason):
    found = list(broken(Row.model_validate(row(**{**SOUND, **values}))))
    assert len(found) == (reason is not None)
    assert reason is None or found[0].startswith(reason)


def test_baseline_reads_as_what_was_frozen(tmp_path):
    paths = [timed(tmp_path / str(i), 2.0 + i / 10, created=f"2026-01-0{i + 1}") for i in range(2)]
    assert freeze(tmp_path, *paths) == 0
    found = read_stored(tmp_path / "baseline.json")
    content = json.loads((tmp_path / "baseline.json").read_text())
    assert {"schema", "kind", "created", "machine", "runs", "accepted"} == set(content)
    assert (content["schema"], content["kind"]) == (1, "baseline")
    assert (found.kind, len(found.runs)) == ("baseline", 2)
    assert found.machine == read_stored(paths[0]).machine
    assert [run.by_cell[CELL].latency_ms.p50 for run in found.runs] == [2.0, 2.1]
    assert found.runs[0].group(CELL).cells[CELL][0] == ((0.002,),) * 4


def test_frozen_baseline_is_the_same_as_its_results(tmp_path, capsys):
    path = timed(tmp_path / "run", 2.0)
    freeze(tmp_path, path)
    assert main(["gate", str(tmp_path / "baseline.json"), str(path)]) == 0
    assert "Nothing got worse: 1 cell compared." in capsys.readouterr().out


def test_every_broken_value_is_named(tmp_path, capsys):
    slow = row(**{**SOUND, "ratio": {"value": 0.5, "ci95": [0.4, 0.6]}})
    path = write(tmp_path / "run", slow, failed(FP32))
    assert freeze(tmp_path, path) == 2
    assert complaint(capsys) == (
        f"fqbench: the baseline would keep broken values: {CELL}: INT8 is slower than FP32 (ratio"
        f" 0.50) | {FP32}: it failed: it was killed. Mend them, or keep one with --accept"
        " CELL=REASON"
    )
    assert not (tmp_path / "baseline.json").exists()


def test_accepted_value_keeps_its_reason_and_shows_it(tmp_path, capsys):
    path = write(tmp_path / "run", failed(FP32), row())
    reason = "upstream bug, see their issue"
    assert freeze(tmp_path, path, "--accept", f"{FP32}={reason}") == 0
    assert read_stored(tmp_path / "baseline.json").accepted == {FP32: reason}
    main(["gate", str(tmp_path / "baseline.json"), str(path)])
    told = " ".join(capsys.readouterr().out.split())
    assert f"BASE keeps a broken value of {FP32}, accepted because: {reason}" in told


@pytest.mark.parametrize(
    ("accept", "sentence"),
    [
        (f"{FP32}=too short", "the reason 'too short' is too short: say in 10 characters or more"),
        (f"{FP32}=          a          ", "is too short"),
        (FP32, f"--accept {FP32}: expected CELL=REASON"),
        (f"{CELL}=a long enough reason", "no value of it is broken (broken: " + FP32),
        ("nope=a long enough reason", "--accept nope: no value of it is broken"),
    ],
)
def test_acceptance_that_is_refused(tmp_path, capsys, accept, sentence):
    path = write(tmp_path / "run", failed(FP32), row())
    assert freeze(tmp_path, path, "--accept", accept) == 2
    assert sentence in complaint(capsys)
    assert not (tmp_path / "baseline.json").exists()


def test_cell_that_is_accepted_twice(tmp_path, capsys):
    path = write(tmp_path / "run", failed(FP32))
    reasons = [f"--accept={FP32}=a long enough reason", f"--accept={FP32}=another good reason"]
    assert freeze(tmp_path, path, *reasons) == 2
    assert "is accepted twice" in complaint(capsys)


def test_same_run_twice_would_look_like_no_noise(tmp_path, capsys):
    path = timed(tmp_path / "run", 2.0)
    assert freeze(tmp_path, path, path) == 2
    assert "hold the same run" in complaint(capsys)


def test_runs_of_different_machines(tmp_path, capsys):
    machine = {**MACHINE, "threads": 2}
    paths = write(tmp_path / "a", row()), write(tmp_path / "b", row(), machine=machine, created="x")
    assert freeze(tmp_path, *paths) == 2
    assert "do not belong into one baseline: threads 1 (BASE) and 2 (HEAD)" in complaint(capsys)


def test_value_that_broke_in_one_run_of_several(tmp_path, capsys):
    paths = [
        write(tmp_path / "a", failed(), created="a"),
        write(tmp_path / "b", row(), created="b"),
    ]
    assert freeze(tmp_path, *paths) == 2
    assert f"{CELL}: it failed" in complaint(capsys)


def test_baseline_of_benchmarks(tmp_path):
    path = benchmark(tmp_path / "b.json", {"t.py::a": 0.1})
    assert freeze(tmp_path, path) == 0
    assert main(["gate", str(tmp_path / "baseline.json"), str(path)]) == 0


def test_unwritten_baseline_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "baseline.json").write_text("old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    assert freeze(tmp_path, write(tmp_path / "run", row(), groups=[group({CELL: 2.0})])) == 2
    assert (tmp_path / "baseline.json").read_text() == "old"
