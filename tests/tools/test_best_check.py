"""``best`` held to a full run, on a small model all the way; and what counts as a goal missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fqbench.best.front import Budget
from fqbench.best.timing import Effort
from fqbench.cells import Cell
from fqbench.isolate import Report
from fqbench.measure.stats import Interval, Latency
from fqbench.results import Row
from fqbench.steps.job import Job
from fqbench.steps.observer import Silent
from fqbench.steps.step import Measurement, Step
from tests.support.quick_fqbench import BUDGET
from tests.support.tiny_spec import write_spec
from tools.best_check.__main__ import main
from tools.best_check.checked import Checked
from tools.best_check.comparison import inside
from tools.best_check.tally import Tally

REACHED = Checked("m", 0.5, 100.0, "a", "b", Interval(1.01, 1.0, 1.02))


@pytest.mark.parametrize(
    ("checked", "missed"),
    [
        (REACHED, []),
        (replace(REACHED, ratio=Interval(1.04, 1.0, 1.1)), ["slower"]),
        (replace(REACHED, ratio=Interval(0.5, 0.4, 0.6)), []),
        (replace(REACHED, seconds=601.0), ["too long"]),
        (replace(REACHED, winner=None, ratio=None), ["one of them finds nothing"]),
        (Checked("m", None, 0.0, failure="it crashed"), ["failed: it crashed"]),
        (replace(REACHED, winner=None, fastest=None, ratio=None), []),
    ],
)
def test_goals(checked, missed):
    assert checked.missed == missed
    assert checked.line()[-1] == (", ".join(missed) or "reached")


def row(precision, ms, drop=None, status="ok"):
    time = Interval(ms, ms, ms)
    return Row(
        Cell("m", "onnxruntime", "cpu", precision),
        status,
        latency=Latency(time, ms, ms, ms, ms, 1),
        size_mb=1.0,
        drop=None if drop is None else Interval(drop, drop - 1, drop + 1),
    )


def test_rows_inside_are_the_fastest_first():
    rows = [row("fp32", 4.0), row("int8", 2.0, 0.4), row("int8_file", 1.0, 0.6)]
    assert [each.latency.mean for each in inside(rows, Budget(drop=0.5))] == [2.0, 4.0]
    certain = Budget(drop=0.5, judge="interval")
    assert [each.latency.mean for each in inside(rows, certain)] == [4.0]
    assert inside([row("int8", 1.0, 0.0, "failed")], Budget(drop=0.5)) == []


def test_what_is_told_about_a_search():
    checked = replace(
        REACHED,
        statuses={"runs": 4, "same": 1},
        spent={"making": 60.0, "timing": 30.0, "evaluating": 8.0},
        front=("ONNX Runtime FP32 (1.00 ms)",),
    )
    assert list(checked.details()) == [
        "m, drop 0.5: 5 candidates: 4 runs, 1 same",
        "  of 100 s: 60 s making, 30 s timing, 8 s evaluating, 2 s anything else",
        "  on the front: ONNX Runtime FP32 (1.00 ms)",
    ]
    assert list(Checked("m", None, 0.0, failure="it crashed").details()) == []


class _Job(Job):
    """Nothing is given to it."""


def _work(job: _Job, report: Report) -> None:
    """Nothing."""


def test_seconds_side_by_side_are_divided(monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 7.0, 8.0, 10.0, 15.0])
    monkeypatch.setattr("tools.best_check.tally.time.monotonic", lambda: next(clock))
    lower, predict = (Step(name, "m", _work, {}) for name in ("lower", "predict"))
    time = Measurement("time", "m", (), lambda finished, report: None)
    tally = Tally(Silent())
    tally.started(lower)  # 1
    tally.started(predict)  # 3: 2 s of making
    tally.ended(lower, 0.0, None)  # 7: 2 s of each
    tally.ended(predict, 0.0, None)  # 8: 1 s of evaluating
    tally.started(time)  # 10: nothing ran
    tally.ended(time, 0.0, None)  # 15: 5 s of timing
    assert tally.taken() == {"making": 4.0, "timing": 5.0, "evaluating": 3.0}
    assert set(tally.taken().values()) == {0.0}


@pytest.mark.slow
def test_a_small_model_all_the_way(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("FQBENCH_DATA", raising=False)
    spec = write_spec(tmp_path)
    arguments = [str(spec), "--backends", "onnxruntime", "--methods", "offline"]
    store = tmp_path / "store"
    arguments += ["--store", str(store), "--drop", "100", "0"]
    code = main(arguments, Effort(BUDGET, BUDGET))
    shown, told = capsys.readouterr()
    assert code in (0, 1)
    assert shown.count("tiny") == 4
    assert shown.count("onnxruntime-cpu-") >= 4
    assert shown.count("on the front: ONNX Runtime") >= 2
    assert "s making" in shown
    searched = told.count("predict onnxruntime")
    assert searched >= 2

    # What the full run evaluated is in its store; a search starts from nothing.
    kept = {path: path.stat().st_mtime_ns for path in store.glob("predict/*/manifest.json")}
    assert kept
    assert main(arguments, Effort(BUDGET, BUDGET)) in (0, 1)
    told = capsys.readouterr().err
    assert 0 < told.count("predict onnxruntime") < searched
    assert {path: path.stat().st_mtime_ns for path in store.glob("predict/*/manifest.json")} == kept


def test_nothing_named(capsys):
    assert main([]) == 2
    assert "no model is named" in capsys.readouterr().err
