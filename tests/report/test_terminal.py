"""The tables in terminals of any width: whatever is shown is shown whole."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from fqbench import zoo
from fqbench.cells import Cell
from fqbench.measure.stats import Interval, Latency
from fqbench.report import terminal
from fqbench.report.notes import notes
from fqbench.report.published import published_figures
from fqbench.report.short import MOST_LINES
from fqbench.report.summary import summary
from fqbench.results import Results, Row

MACHINE = {
    "cpu": {"model": "Some CPU", "isa": ["avx2"], "cores": 2},
    "threads": 1,
    "versions": {"fqbench": "0.1.0"},
}
CUT = "\N{HORIZONTAL ELLIPSIS}"


def pair(model: str, backend: str, p50: float = 1234.5, **both) -> tuple[Row, Row]:
    """FP32 and INT8 of one model, with figures as long as they come."""
    latency = Latency(Interval(p50, p50, p50), p50, p50, p50, p50, 80)
    fp32 = Row(Cell(model, backend, "cpu", "fp32"), "ok", latency=latency, metric="mAP", **both)
    int8 = replace(
        fp32,
        cell=Cell(model, backend, "cpu", "int8"),
        method="offline",
        ratio=Interval(2.345, 2.301, 2.398),
        margin=0.25,
        convolutions=127,
        int8_convolutions=121,
    )
    return fp32, int8


def trained(model: str, backend: str) -> tuple[Row, Row]:
    fp32, int8 = pair(model, backend, accuracy=37.61, dataset="val.json", images=128)
    return fp32, replace(int8, drop=Interval(12.34, -10.25, 14.5))


def synthetic(model: str, backend: str) -> tuple[Row, Row]:
    needs = f"needs trained weights: fqbench fetch {model}"
    fp32, int8 = pair(model, backend, weights="synthetic", needs=needs)
    return fp32, replace(int8, agreement=0.98765)


REPORT = Path("out/report.md")


def shown(width: int, *rows: Row, verbose: bool = True) -> str:
    console = Console(record=True, width=width, file=io.StringIO())
    results = Results(MACHINE, rows, "2024-05-06T07:08:09+00:00")
    terminal.show(results, console, report=REPORT, verbose=verbose)
    return console.export_text()


MIXED = (
    *trained("digits_mobilenet_v1", "onnxruntime"),
    *trained("digits_mobilenet_v1", "paddle"),
    *(row for name in zoo.published_names() for row in synthetic(name, "onnxruntime")),
    *(row for name in zoo.published_names() for row in synthetic(name, "paddle")),
)


@pytest.mark.parametrize("width", [80, 100, 120, 160, 190, 200, 220, 300])
def test_nothing_is_cut_with_trained_and_synthetic_weights_in_one_run(width):
    assert CUT not in shown(width, *MIXED)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    st.integers(80, 260),
    st.sets(st.sampled_from(range(0, len(MIXED), 2)), min_size=1),
)
def test_every_latency_is_shown_whole_at_any_width(width, chosen):
    rows = [row for first in sorted(chosen) for row in MIXED[first : first + 2]]
    text = shown(width, *rows)
    assert CUT not in text
    table, _, _ = text.partition("Latency is the median")
    assert table.count("1234.50") == len(rows)


def test_narrow_terminal_has_a_table_for_rows_without_accuracy():
    lines = [" ".join(line.split()) for line in shown(80, *MIXED).splitlines()]
    assert lines[0] == "Model Backend FP32 ms INT8 ms Ratio FP32 INT8 Drop Margin"
    assert lines[4] == ""
    assert lines[5] == "Model Backend FP32 ms INT8 ms Ratio Agreement"
    assert lines[7] == "yolov5s* ONNX 1234.50 1234.50 2.35 0.9877"


def test_narrow_terminal_tells_a_given_file_from_our_own():
    fp32, int8 = trained("net", "onnxruntime")
    given_file = replace(int8, cell=replace(int8.cell, precision="int8_file"), method="given")
    _, _, ours, theirs, *_ = shown(80, fp32, int8, given_file).splitlines()
    assert ours.startswith("net ")
    assert theirs.startswith("  the file as given ONNX ")


def test_narrow_terminal_tells_what_the_notes_of_published_rows_say():
    said = " ".join(shown(80, *synthetic("resnet50_vd", "onnxruntime")).split())
    reason = Cell("yolov5s", "tensorrt", "gpu", "int8").unsupported
    assert (
        "TensorRT, yolov5s, yolov6s, yolov7, ppyoloe_crn_l_300e_coco, resnet50_vd,"
        f" mobilenet_v1_ssld: not measured: {reason}"
    ) in said
    assert "Paddle Inference, resnet50_vd, mobilenet_v1_ssld: edition of release 1.0.7" in said
    assert "ONNX Runtime, yolov6s: ratio as published; by its times it is 2.63" in said


FAILED = replace(
    synthetic("yolov5s", "paddle")[1], latency=None, status="failed", reason="killed by signal 9"
)
OUTSIDE = replace(trained("net", "onnxruntime")[1], drop=Interval(3.5, 3.0, 4.0))


def notes_below(width: int, *rows: Row) -> list[str]:
    """What follows the last empty line."""
    *_, below = shown(width, *rows, verbose=False).rstrip("\n").split("\n\n")
    return below.splitlines()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_short_form_has_ten_lines_of_notes_and_says_where_the_others_are(width):
    below = notes_below(width, *MIXED)
    assert len(below) <= MOST_LINES
    said = " ".join("\n".join(below).split())
    count = len(notes(Results(MACHINE, MIXED, "")))
    assert said.endswith(f"{count} notes in all: out/report.md, or --verbose.")


def test_short_form_has_the_table_first_and_nothing_that_no_option_asked_for():
    text = shown(80, *MIXED, verbose=False)
    assert text.startswith("Model ")
    assert "Published and measured" not in text
    assert "Published and measured" in shown(80, *MIXED)


def test_what_went_wrong_comes_first():
    below = notes_below(200, *MIXED, FAILED, OUTSIDE)
    assert below[0] == "Failed: yolov5s-paddle-cpu-int8: killed by signal 9"
    assert below[1] == (
        "over: more is lost than the margin allows: net-onnxruntime-cpu-int8 loses 3.50."
    )
    assert below[2].startswith("?: the images cannot tell whether the drop is within the margin, ")


def test_cells_that_failed_alike_are_one_sentence():
    failed = [
        replace(FAILED, cell=Cell(f"net{number}", "onnxruntime", "cpu", "int8"))
        for number in range(5)
    ]
    first, *_ = notes_below(200, *failed)
    listed = ", ".join(f"net{number}-onnxruntime-cpu-int8" for number in range(3))
    assert first == f"Failed: {listed} and 2 more: killed by signal 9"


def test_long_reason_is_cut_between_words_and_says_so():
    first, *_ = notes_below(400, replace(FAILED, reason="far too long " * 40))
    assert first.endswith("far too long ...")
    assert len(first) < 250


def test_nothing_that_a_terminal_would_obey_gets_through():
    evil = "\x1b[31mred\x1b]0;title\x07\x9b2J"
    rows = (*trained("net", "onnxruntime"), replace(FAILED, reason=evil))
    for verbose in (False, True):
        assert not set("\x1b\x07\x9b") & set(shown(120, *rows, verbose=verbose))


def test_ratios_are_those_the_document_prints():
    printed = [row.ratio for row in published_figures() if row.edition == "document"]
    assert printed == [
        *(1.70, 1.90, 1.63),
        *(1.67, 2.60, 2.84),
        *(2.61, 2.11, 2.08),
        *(2.13, 2.37),
        *(1.93, 2.06),
        *(3.03, 3.10),
    ]


def test_one_printed_ratio_is_not_that_of_its_times():
    (odd,) = [row for row in published_figures() if abs(row.ratio - row.times_ratio) > 0.01]
    assert odd.place == ("yolov6s", "onnxruntime", "cpu")
    assert odd.times_ratio == pytest.approx(2.6334, abs=1e-4)


def test_later_edition_has_the_ratio_of_its_times():
    later = {row.model: row.ratio for row in published_figures() if row.edition == "1.0.7"}
    assert later["resnet50_vd"] == pytest.approx(3.174, abs=1e-3)
    assert later["mobilenet_v1_ssld"] == pytest.approx(2.626, abs=1e-3)


def test_how_wrong_a_ratio_may_be_is_said():
    """A machine that was disturbed gives ratios that are nonsense: the interval shows it."""
    fp32, int8 = pair("net", "onnxruntime")
    wide = replace(int8, stopped="time", ratio=Interval(46.94, 2.06, 1068.2))
    said = "Ratios not known to 1 % within the time given: net"
    sentences = summary(Results.now(MACHINE, (fp32, wide, replace(int8, stopped="time"))))
    assert f"{said}; the least certain one is 46.94 (2.06 to 1068.20)." in sentences
    alone = summary(Results.now(MACHINE, (replace(fp32, stopped="time"),)))
    assert f"{said}." in alone
