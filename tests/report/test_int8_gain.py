"""What the reports say of the fastest float, and why INT8 is no faster where it is not."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from fqbench.cells import Cell
from fqbench.measure.int8_gain import Int8Gain, Part
from fqbench.measure.stats import Interval, Latency
from fqbench.report import best_float, int8_gain, markdown, terminal
from fqbench.report.table import COLUMNS, TO_BEST_FLOAT, lines
from fqbench.results import BestFloat, Results, Row
from tests.report.test_versions import MACHINE

BEST = Cell("net", "openvino", "cpu", "bf16")
SAME = Interval(1.0, 1.0, 1.0)


def row(backend: str, precision: str, p50: float, **values: object) -> Row:
    latency = Latency(Interval(p50, p50, p50), p50, p50, p50, p50, 10)
    ratio = Interval(4.0 / p50, 3.9 / p50, 4.1 / p50)
    cell = Cell("net", backend, "cpu", precision)
    best = BestFloat(BEST, SAME if cell == BEST else ratio)
    return replace(Row(cell, "ok", latency=latency, best_float=best), **values)  # type: ignore[arg-type]


GAIN = Int8Gain(
    faster=Part(3, 4.0, 2.0),
    depthwise=Part(5, 2.0, 2.0),
    no_faster=Part(1, 0.01, 0.01),
    in_float=Part(1, 1.0, 1.0),
    operators=Part(9, 3.0, 3.5),
    conversions=Part(2, 0.0, 1.5),
)
FP32 = row("onnxruntime", "fp32", 10.0)
INT8 = row(
    "onnxruntime", "int8", 8.0, method="offline", ratio=Interval(1.25, 1.2, 1.3), int8_gain=GAIN
)
ROWS = (FP32, INT8, row("openvino", "fp32", 5.0), row("openvino", "bf16", 4.0))
WHY = (
    "net on ONNX Runtime: float is faster here, INT8 takes 2.00 times as long as OpenVINO BF16;"
    " FP32 on ONNX Runtime takes 2.50 times as long as that. Of the 10.01 ms that FP32 takes there"
    " by the runtime's own profile (10.01 in INT8), 40 % is in layers that INT8 makes 2.0 times as"
    " fast, 30 % in layers that gain nothing (20 % depthwise, 10 % in float; 3.01 ms in INT8), 30 %"
    " in other operators (3.50 ms in INT8); INT8 adds 1.50 ms of conversions."
)


def results(*rows: Row) -> Results:
    return Results(MACHINE, rows, "2026-01-01T00:00:00+00:00")


def test_both_ratios_stand_beside_each_other_and_the_best_float_is_marked() -> None:
    shown = [dict(zip(COLUMNS, line.texts, strict=True)) for line in lines(ROWS)]
    assert [(each["INT8 ms"], each["Ratio"], each[TO_BEST_FLOAT]) for each in shown] == [
        ("8.00", "1.25 (1.20 to 1.30)", "0.50 (0.49 to 0.51)"),
        ("4.00 (BF16) (best float)", "-", "1"),
    ]


def test_a_narrow_terminal_says_it_too_and_what_is_not_int8() -> None:
    shown = StringIO()
    console = Console(file=shown, width=80)
    terminal.show(results(*ROWS), console, report=Path("r.md"), verbose=True)
    first, second, *_ = shown.getvalue().splitlines()
    assert first.index("Best") in (second.index("float"), second.index("float") + 1)
    assert "  in BF16" in shown.getvalue()


def test_it_is_named_under_the_table() -> None:
    (said,) = best_float.sentences(ROWS)
    assert said.endswith("It is: net on the CPU OpenVINO BF16 (4.00 ms).")
    assert best_float.sentences((replace(FP32, best_float=None),)) == ()


def test_why_float_is_faster() -> None:
    assert int8_gain.sentences(ROWS) == (WHY,)
    assert WHY in markdown.markdown(results(*ROWS))


def test_a_tie_is_called_one() -> None:
    tie = BestFloat(FP32.cell, Interval(0.99, 0.97, 1.01))
    fp32 = replace(FP32, best_float=BestFloat(FP32.cell, SAME))
    (said,) = int8_gain.sentences((fp32, replace(INT8, best_float=tie)))
    assert said.startswith(
        "net on ONNX Runtime: INT8 is not certainly faster than float here, it is 0.99 (0.97 to"
        " 1.01) times as fast as ONNX Runtime FP32. Of the 10.01 ms"
    )


def test_where_fp32_runs_instead_its_time_is_not_called_that_of_int8() -> None:
    (said,) = int8_gain.sentences((FP32, replace(INT8, slowdown=1.1)))
    assert said.startswith("net on ONNX Runtime: Of the 10.01 ms")


def test_results_have_both() -> None:
    content = INT8.to_json()
    assert content["best_float"] == {
        "cell": "net-openvino-cpu-bf16",
        "ratio": {"value": 0.5, "ci95": pytest.approx([0.4875, 0.5125])},
    }
    assert content["int8_gain"]["depthwise"] == {"count": 5, "fp32_ms": 2.0, "int8_ms": 2.0}
    assert FP32.to_json()["int8_gain"] is None
