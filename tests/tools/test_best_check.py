"""``best`` held to a full run, on a small model all the way; and what counts as a goal missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fqbench.best.front import Budget
from fqbench.best.timing import Effort
from fqbench.cells import Cell
from fqbench.measure.stats import Interval, Latency
from fqbench.results import Row
from tests.support.quick_fqbench import BUDGET
from tests.support.tiny_spec import write_spec
from tools.best_check import Checked, inside, main

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


@pytest.mark.slow
def test_a_small_model_all_the_way(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("FQBENCH_DATA", raising=False)
    spec = write_spec(tmp_path)
    arguments = [str(spec), "--backends", "onnxruntime", "--methods", "offline"]
    code = main([*arguments, "--drop", "100", "0"], Effort(BUDGET, BUDGET))
    shown = capsys.readouterr().out
    assert code in (0, 1)
    assert shown.count("tiny") == 2
    assert shown.count("onnxruntime-cpu-") >= 4


def test_nothing_named(capsys):
    assert main([]) == 2
    assert "no model is named" in capsys.readouterr().err
