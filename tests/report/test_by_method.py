"""Methods beside each other in the reports."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from fqbench.cells import Cell
from fqbench.measure.stats import Interval, Latency
from fqbench.report import by_method, markdown, terminal
from fqbench.results import BestFloat, Results, Row
from tests.report.test_versions import MACHINE

TITLE = "Methods beside each other"


def row(precision: str, p50: float, **values) -> Row:
    latency = Latency(Interval(p50, p50, p50), p50, p50, p50, p50, 10)
    cell = Cell("net", "onnxruntime", "cpu", precision)
    return Row(cell, "ok", latency=latency, metric="top1", **values)


FP32 = row("fp32", 4.0, accuracy=71.0, size_mb=10.0)
OURS = row(
    *("int8", 2.0),
    method="offline",
    accuracy=70.5,
    drop=Interval(0.5, 0.1, 0.9),
    ratio=Interval(2.0, 1.9, 2.1),
    best_float=BestFloat(replace(FP32.cell, backend="openvino"), Interval(1.0, 0.95, 1.05)),
    quantize_s=12.3,
    size_mb=2.5,
    int8_convolutions=28,
)
THEIRS = replace(
    OURS,
    cell=replace(OURS.cell, method="nncf"),
    method="nncf",
    ratio=Interval(0.5, 0.4, 0.6),
    int8_convolutions=0,
)
FAILED = Row(replace(OURS.cell, method="ort_static"), "failed", reason="it crashed")
ROWS = (FP32, OURS, THEIRS, FAILED)


def results(*rows: Row) -> Results:
    return Results(MACHINE, rows, "2026-01-01T00:00:00+00:00")


def test_one_line_of_each_beside_fp32() -> None:
    place = ("net", "ONNX Runtime", "CPU")
    assert by_method.lines(ROWS) == (
        (*place, "FP32", "-", "10.00", "4.00", "-", "-", "71.00", "-", "-"),
        (
            *(*place, "offline quantization", "12 s", "2.50", "2.00"),
            *("2.00 (1.90 to 2.10)", "1.00 (0.95 to 1.05)", "70.50", "0.50 (0.10 to 0.90)", "28"),
        ),
        (
            *(*place, "NNCF", "12 s", "2.50", "2.00"),
            *("0.50 (0.40 to 0.60)", "1.00 (0.95 to 1.05)", "70.50", "0.50 (0.10 to 0.90)", "0"),
        ),
        (*place, "onnxruntime.quantization", "-", "-", "failed", "-", "-", "-", "-", "-"),
    )


def test_one_method_alone_has_no_table() -> None:
    assert by_method.lines((FP32, OURS)) == ()
    assert TITLE not in markdown.markdown(results(FP32, OURS))


def test_both_reports_have_it() -> None:
    found = results(*ROWS)
    assert f"## {TITLE}" in markdown.markdown(found)
    shown = StringIO()
    terminal.show(found, Console(file=shown, width=300), report=Path("r.md"), verbose=True)
    assert TITLE in shown.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_a_narrow_terminal_says_whose_a_line_is(width: int) -> None:
    shown = StringIO()
    console = Console(file=shown, width=width)
    terminal.show(results(*ROWS), console, report=Path("r.md"), verbose=False)
    first = [line.split("  ")[0:2] for line in shown.getvalue().splitlines()]
    names = ["".join(parts).strip() for parts in first]
    assert [name for name in names if name.startswith("by ")][:1] == ["by NNCF"]


def test_a_row_says_its_method_in_its_id() -> None:
    content = THEIRS.to_json()
    assert content["cell"] == "net-onnxruntime-cpu-int8@nncf"
    assert (content["precision"], content["method"]) == ("int8", "nncf")


def test_toolkits_have_their_versions() -> None:
    machine = {**MACHINE, "toolkits": {"nncf": "3.4.0"}}
    shown = markdown.markdown(Results(machine, ROWS, "2026-01-01T00:00:00+00:00"))
    assert "Other toolkits: nncf 3.4.0." in shown


def test_what_no_method_makes_has_one_sentence_for_all_models() -> None:
    nowhere = [
        replace(FAILED, cell=replace(FAILED.cell, model=model), status="unsupported", reason="why")
        for model in ("net", "elsewhere")
    ]
    shown = markdown.markdown(results(*ROWS, *nowhere))
    assert by_method.lines((*ROWS, *nowhere)) == by_method.lines(ROWS)
    assert shown.count("unsupported") == 0
    assert shown.count("- onnxruntime.quantization on ONNX Runtime: why.") == 1
    assert "elsewhere" not in shown
