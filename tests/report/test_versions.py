"""Versions of one backend in the reports."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console

from fqbench.cells import Cell
from fqbench.measure.stats import Interval, Latency
from fqbench.report import markdown, terminal, versions
from fqbench.results import Beside, Results, Row

MACHINE = {
    "cpu": {"model": "a CPU", "isa": ["avx2"], "cores": 2, "usable_cores": 2},
    "threads": 1,
    "versions": {"onnxruntime": "1.32.0"},
    "environments": {"onnxruntime==1.23.2": {"onnxruntime": "1.23.2", "numpy": "2.2.6"}},
}


def row(backend: str, precision: str, p50: float, **values) -> Row:
    latency = Latency(Interval(p50, p50, p50), p50, p50, p50, p50, 10)
    cell = Cell("net", backend, "cpu", precision)
    return Row(cell, "ok", latency=latency, metric="top1", **values)


OLD, NEW = "onnxruntime==1.23.2", "onnxruntime==1.32.0"
ROWS = (
    row(OLD, "int8", 2.0),
    row(
        NEW,
        "int8",
        4.0,
        beside=Beside(
            Cell("net", OLD, "cpu", "int8"), Interval(0.5, 0.49, 0.51), Interval(0.1, -0.2, 0.4)
        ),
    ),
)
LINE = (
    "net",
    "INT8",
    "ONNX Runtime 1.32.0",
    "4.00",
    "1.23.2",
    "0.50 (0.49 to 0.51)",
    "0.10 (-0.20 to 0.40)",
)


def test_line_says_what_is_beside_what():
    assert versions.lines(ROWS) == (LINE,)
    assert versions.lines(ROWS[:1]) == ()


def test_what_is_not_known_is_a_dash():
    found = row(NEW, "int8", 4.0, beside=Beside(ROWS[0].cell, None, None))
    assert versions.lines([found])[0][-2:] == ("-", "-")


def test_reports_show_versions_and_what_their_environments_hold():
    results = Results(MACHINE, ROWS, "now")
    out = StringIO()
    terminal.show(results, Console(file=out, width=200), report=Path("report.html"), verbose=True)
    for text in (markdown.markdown(results), out.getvalue()):
        assert versions.TITLE in text
        assert "0.50 (0.49 to 0.51)" in text
        assert "In the environment onnxruntime==1.23.2: onnxruntime 1.23.2, numpy 2.2.6." in text


def test_results_have_what_is_beside():
    assert ROWS[1].to_json()["beside"] == {
        "cell": "net-onnxruntime==1.23.2-cpu-int8",
        "ratio": {"value": 0.5, "ci95": [0.49, 0.51]},
        "drop": {"value": 0.1, "ci95": [-0.2, 0.4]},
    }
    assert ROWS[0].to_json()["beside"] is None
