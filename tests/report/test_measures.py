"""Tables of what was measured beside latency, of rows made by hand."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from fqbench.cells import Cell
from fqbench.measure.end_to_end import EndToEnd
from fqbench.measure.measures import NotMeasured
from fqbench.measure.memory import MemoryUse
from fqbench.measure.startup import Startup
from fqbench.measure.stats import Interval
from fqbench.measure.throughput import Throughput
from fqbench.report import markdown, measures, terminal
from fqbench.results import Results, Row

MACHINE = {
    "cpu": {"model": "Some CPU", "isa": ["avx2"], "cores": 2},
    "threads": 1,
    "versions": {"fqbench": "0.1.0"},
}
RATIO = Interval(1.5, 1.4, 1.6)
WAY = "2 inferences at once in 1 thread each"
PARTS = {"decode": 5.0, "preprocess": 10.0, "inference": 30.0, "postprocess": 5.0}


def row(precision, model="net", backend="onnxruntime", **figures):
    cell = Cell(model, backend, "cpu", precision)
    return Row(cell, "ok", dataset="val.json", images=9, metric="mAP", measures=figures)


def figures(ratio):
    return {
        "throughput": Throughput(Interval(81.26, 80, 82.5), ratio, WAY, 5),
        "memory": MemoryUse(Interval(312.3, 311, 314), 71.2, 40.4, Interval(200.7, 199, 202), 6),
        "startup": Startup(Interval(400, 390, 410), 200, 180, 20, ratio, 6),
        "end_to_end": EndToEnd(Interval(50, 49, 51), PARTS, ratio, ratio, 4, 5),
    }


ROWS = (row("fp32", **figures(None)), row("int8", **figures(RATIO)))
LONGEST = [
    row(precision, model="digits_mobilenet_v1", backend=backend, **figures(RATIO))
    for backend in ("onnxruntime", "openvino", "paddle")
    for precision in ("fp32", "int8")
]


def by_title(rows, *, whole):
    return {each.title: each for each in measures.sections(rows, whole=whole)}


def test_only_what_was_asked_for_has_a_table():
    assert measures.sections([row("fp32")], whole=True) == ()
    (found,) = measures.sections([row("fp32", memory=figures(None)["memory"])], whole=True)
    assert found.title == "Memory"


def test_figures_with_intervals():
    found = by_title(ROWS, whole=True)
    assert [each.lines[1][3:] for each in found.values()] == [
        ("81.3 (80.0 to 82.5)", "1.50 (1.40 to 1.60)", WAY),
        ("312 (311 to 314)", "71", "40", "201 (199 to 202)"),
        ("400 (390 to 410)", "200 (50 %)", "180 (45 %)", "20 (5 %)", "1.50 (1.40 to 1.60)"),
        (
            "50.00 (49.00 to 51.00)",
            "5.00 (10 %)",
            "10.00 (20 %)",
            "30.00 (60 %)",
            "5.00 (10 %)",
            "1.50 (1.40 to 1.60)",
            "1.50 (1.40 to 1.60)",
        ),
    ]
    for each in found.values():
        assert {len(line) for line in each.lines} == {len(each.columns)}


def test_figures_where_there_is_little_room():
    found = by_title(ROWS, whole=False)
    assert found["Throughput"].lines[0][3:] == ("81.3", "-")
    assert found["End to end"].lines[1][3:] == (
        "50.00",
        "10 %",
        "20 %",
        "60 %",
        "10 %",
        "1.50",
        "1.50",
    )
    for each in found.values():
        assert {len(line) for line in each.lines} == {len(each.columns)}


def test_why_something_is_not_measured():
    lacking = NotMeasured("it is not known how", failed=False)
    broken = NotMeasured("it was killed", failed=True)
    found = by_title([row("fp32", throughput=lacking), row("int8", throughput=broken)], whole=True)
    (table,) = found.values()
    assert [line[3:] for line in table.lines] == [("not measured", "-", "-")] * 2
    assert table.notes[1:] == (
        "net-onnxruntime-cpu-fp32: throughput not measured: it is not known how",
        "net-onnxruntime-cpu-int8: throughput not measured: it failed: it was killed",
    )


def test_generated_images_are_said_to_be():
    rows = [replace(row("fp32", **figures(None)), weights="synthetic")]
    assert (
        "Images: net 4 of val.json, which are generated."
        in by_title(rows, whole=True)["End to end"].notes
    )


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_figure_is_cut(width):
    console = Console(record=True, width=width, file=io.StringIO())
    terminal.show(
        Results(MACHINE, tuple(LONGEST), "now"), console, report=Path("report.html"), verbose=True
    )
    text = console.export_text()
    for word in ("81.3", "312", "400", "50.00", "60 %", "1.50", "digits_mobilenet_v1"):
        assert word in text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert all(len(line) <= width for line in text.splitlines())


def test_the_report_has_all_of_them():
    text = markdown.markdown(Results(MACHINE, ROWS, "now"))
    for title in ("Throughput", "Memory", "Start-up", "End to end"):
        assert f"\n## {title}\n" in text
    assert (
        f"| net | ONNX Runtime | INT8 | 81.3 (80.0 to 82.5) | 1.50 (1.40 to 1.60) | {WAY} |" in text
    )


def test_results_hold_them_as_json():
    lacking = NotMeasured("it is not known how", failed=False)
    found = row("int8", memory=figures(None)["memory"], throughput=lacking).to_json()["measures"]
    assert json.loads(json.dumps(found)) == {
        "memory": {
            "peak_mb": {"value": 312.3, "ci95": [311, 314]},
            "before_mb": 71.2,
            "runtime_mb": 40.4,
            "model_mb": {"value": 200.7, "ci95": [199, 202]},
            "processes": 6,
        },
        "throughput": {"not_measured": "it is not known how", "failed": False},
    }
    assert row("int8").to_json()["measures"] == {}
