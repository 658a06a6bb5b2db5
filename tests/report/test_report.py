"""The table, in Markdown and in a terminal, of rows made by hand."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from fqbench.cells import Cell
from fqbench.environments import here
from fqbench.measure.stats import Interval, Latency
from fqbench.precisions import label_of
from fqbench.report import markdown, methods, support, terminal, timing
from fqbench.report.table import COLUMNS, lines
from fqbench.results import Further, Results, Row

MACHINE = {
    "cpu": {"model": "Some CPU", "isa": ["avx2", "fma"], "cores": 2},
    "threads": 1,
    "versions": {"fqbench": "0.1.0", "python": "3.11.7"},
}


def row(backend: str, precision: str, p50: float, accuracy: float, **values) -> Row:
    return Row(
        Cell("net", backend, "cpu", precision),
        "ok",
        latency=Latency(Interval(p50, p50, p50), p50, p50, p50, p50, 80),
        metric="mAP",
        accuracy=accuracy,
        images=128,
        dataset="val.json",
        **values,
    )


FP32 = row("onnxruntime", "fp32", 10.0, 37.6, roofline=Interval(0.9, 0.85, 0.95))
INT8 = row(
    "onnxruntime",
    "int8",
    4.125,
    37.1,
    method="offline",
    ratio=Interval(2.424, 2.4, 2.456),
    roofline=Interval(0.571, 0.5, 0.6),
    drop=Interval(0.5, -0.125, 1.0),
    margin=1.0,
    calibration="train[0:64]",
    convolutions=60,
    int8_convolutions=57,
)
PADDLE = row("paddle", "fp32", 12.0, 37.6)
CRASHED = Row(Cell("net", "paddle", "cpu", "int8"), "failed", "it was killed", metric="mAP")


def results(*rows: Row) -> Results:
    return Results(MACHINE, rows, "2024-05-06T07:08:09+00:00")


REPORT = """\
# FP32 against INT8

Measured 2024-05-06T07:08:09+00:00 (UTC).

| Model | Backend | Device | FP32 ms | INT8 ms | Ratio | Ratio to best float | Of peak | Metric \
| FP32 | INT8 | Drop | Margin | Agreement | INT8 layers | Method |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| net | ONNX Runtime | CPU | 10.00 | 4.12 | 2.42 (2.40 to 2.46) | - | 90 % / 57 % | mAP | 37.60 \
| 37.10 | 0.50 (-0.12 to 1.00) | 1 ok | - | 57 of 60 | offline quantization |
| net | Paddle Inference | CPU | 12.00 | failed | - | - | - | mAP | 37.60 | - | - | - | - | - | - |

"""


def test_whole_report():
    text = markdown.markdown(results(FP32, INT8, PADDLE, CRASHED))
    head, _, notes = text.partition("- Latency is")
    assert head == REPORT
    notes, _, tables = notes.partition("\n## Methods of quantization\n")
    assert "\n\nNot measured in this run: distillation training, " in tables
    assert notes.endswith(
        "- Data: net mAP on 128 images of val.json; calibration images (net on train[0:64]) are"
        " never among those evaluated.\n"
        "- CPU: Some CPU (avx2, fma), 2 cores; the number of fixed threads is 1.\n"
        "- Versions: fqbench 0.1.0, python 3.11.7.\n"
        "- net-paddle-cpu-int8: failed: it was killed\n"
    )


def test_report_without_rows_says_that_nothing_was_evaluated():
    text = markdown.markdown(results())
    assert "Data: none;" in text


def test_report_is_written_beside_the_results(tmp_path):
    path = markdown.write(results(FP32), tmp_path)
    assert path == tmp_path / "report.md"
    assert path.read_text() == markdown.markdown(results(FP32))


def texts(*rows: Row) -> dict[str, str]:
    (line,) = lines(rows)
    return dict(zip(COLUMNS, line.texts, strict=True))


def test_int8_alone_has_no_fp32_figures():
    found = texts(replace(INT8, ratio=None, drop=None))
    assert (found["FP32 ms"], found["FP32"], found["Ratio"], found["Drop"]) == ("-",) * 4
    assert (found["INT8 ms"], found["Margin"]) == ("4.12", "1")


@pytest.mark.parametrize(
    ("ends", "margin", "shown"),
    [
        ((0.0, 0.5), 0.5, "0.5 ok"),
        ((0.51, 1.0), 0.5, "0.5 over"),
        ((0.0, 1.0), 0.5, "0.5 ?"),
        ((0.0, 1.0), None, "-"),
    ],
)
def test_margin_says_whether_it_holds(ends, margin, shown):
    found = texts(FP32, replace(INT8, drop=Interval(0.4, *ends), margin=margin))
    assert found["Margin"] == shown


def test_margin_that_is_not_known_says_what_would_tell():
    row = replace(INT8, drop=Interval(0.5, -0.5, 1.5), margin=1.0)
    text = markdown.markdown(results(FP32, row))
    assert (
        "\n- net-onnxruntime-cpu-int8: INT8 loses 0.50 points (95 % interval -0.50 to 1.50);"
        " whether that is within its margin of 1 is not known: about 520 images instead of 128"
        " would tell, were the drop the same\n"
    ) in text


def test_unsupported_cells_keep_their_line_and_reason():
    unsupported = [
        Row(Cell("net", "tensorrt", "gpu", p), "unsupported", "no GPU") for p in ("fp32", "int8")
    ]
    (line,) = lines(unsupported)
    assert line.texts[:5] == ("net", "TensorRT", "GPU", "unsupported", "unsupported")
    assert line.notes == (
        "net-tensorrt-gpu-fp32: unsupported: no GPU",
        "net-tensorrt-gpu-int8: unsupported: no GPU",
    )


HOSTILE = "a | b\n| c | <script>alert(1)</script> & [bold]x[/bold]"


def test_hostile_reason_is_harmless_in_markdown():
    text = markdown.markdown(results(PADDLE, replace(CRASHED, reason=HOSTILE)))
    assert "<script>" not in text
    assert (
        "\n- net-paddle-cpu-int8: failed: a \\| b \\| c \\|"
        " &lt;script&gt;alert(1)&lt;/script&gt; &amp; [bold]x[/bold]\n"
    ) in text


GAINED = replace(
    INT8,
    drop=Interval(-0.71, -1.55, 0.13),
    drop_all_int8=2.5,
    float_layers={"conv": "accuracy"},
    convolutions=1,
    further={"edits": Further(92.5, Interval(-0.2, -0.3, -0.1))},
)


def test_what_int8_gains_is_never_called_a_drop_below_nothing():
    text = markdown.markdown(results(FP32, GAINED))
    assert "(gain 0.20, 0.10 to 0.30)" in text
    assert "1 of 1 layer kept in float (accuracy): drop 2.50 → gain 0.71 mAP" in text
    assert re.search(r"(loses?|lost|drops?|points|→) -\d", text) is None
    assert re.search(r"\d points lost", text) is None
    line = dict(zip(methods.COLUMNS, methods.methods((FP32, GAINED))[0], strict=True))
    assert line["Accuracy"] == (
        "0.71 points gained (median), at least 0.71 points (net on ONNX Runtime)"
    )
    further = replace(GAINED, drop=replace(GAINED.drop, value=0.5))
    line = dict(zip(methods.COLUMNS, methods.methods((FP32, GAINED, further))[0], strict=True))
    assert line["Accuracy"].endswith("(median), at most 0.50 points lost (net on ONNX Runtime)")


def shown(width: int, *rows: Row) -> str:
    console = Console(record=True, width=width, file=io.StringIO())
    terminal.show(results(*rows), console, report=Path("report.html"), verbose=True)
    return console.export_text()


def squeezed(text: str) -> list[str]:
    """The lines, columns one space apart."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_wide_terminal_shows_every_column():
    header, _, first, second, *notes = squeezed(shown(220, FP32, INT8, PADDLE, CRASHED))
    assert header == " ".join(COLUMNS)
    assert first == (
        "net ONNX Runtime CPU 10.00 4.12 2.42 (2.40 to 2.46) - 90 % / 57 % mAP 37.60 37.10"
        " 0.50 (-0.12 to 1.00) 1 ok - 57 of 60 offline quantization"
    )
    assert second == "net Paddle Inference CPU 12.00 failed - - - mAP 37.60 - - - - - -"
    assert "net-paddle-cpu-int8: failed: it was killed" in notes


def test_narrow_terminal_shows_what_decides_without_cutting_it():
    header, _, first, second, *_ = squeezed(shown(80, FP32, INT8, PADDLE, CRASHED))
    assert header == "Model Backend FP32 ms INT8 ms Ratio FP32 INT8 Drop Margin"
    assert first == "net ONNX 10.00 4.12 2.42 37.60 37.10 0.50 1 ok"
    assert second == "net Paddle 12.00 failed - 37.60 - - -"


def test_hostile_reason_is_no_markup_in_a_terminal():
    text = shown(220, PADDLE, replace(CRASHED, reason="[bold]x[/bold] [/] [red"))
    assert "failed: [bold]x[/bold] [/] [red" in text


# Weights without accuracy

SYNTHETIC = {"weights": "synthetic", "needs": "needs trained weights: fqbench fetch net"}
RANDOM = (
    replace(FP32, accuracy=None, **SYNTHETIC),
    replace(INT8, accuracy=None, drop=None, agreement=0.98765, **SYNTHETIC),
)


def test_synthetic_rows_show_words_for_accuracy_and_no_margin():
    found = texts(*RANDOM)
    assert found["Model"] == "net (synthetic)"
    assert found["FP32"] == found["INT8"] == "needs trained weights: fqbench fetch net"
    assert (found["Drop"], found["Margin"], found["Agreement"]) == ("-", "-", "0.9877")
    assert found["Ratio"] == "2.42 (2.40 to 2.46)"


def test_narrow_terminal_shows_agreement_where_there_is_no_accuracy():
    header, _, first, *notes = squeezed(shown(80, *RANDOM))
    assert header == "Model Backend FP32 ms INT8 ms Ratio Agreement"
    assert first == "net* ONNX 10.00 4.12 2.42 0.9877"
    text = " ".join(notes)
    assert "Synthetic weights (where space is short: *) are random" in text
    assert "Accuracy: net needs trained weights: fqbench fetch net." in text


def test_int8_file_has_a_line_of_its_own():
    given = replace(
        INT8, cell=replace(INT8.cell, precision="int8_file"), method="given", accuracy=36.0
    )
    ours, theirs = (
        dict(zip(COLUMNS, line.texts, strict=True)) for line in lines([FP32, INT8, given])
    )
    assert (ours["INT8"], ours["Method"]) == ("37.10", "offline quantization")
    assert (theirs["INT8"], theirs["Method"]) == ("36.00", "INT8 file as given")
    assert ours["FP32"] == theirs["FP32"] == "37.60"


# Methods and support


def test_methods_are_told_by_what_was_measured():
    paddle = replace(INT8, cell=replace(INT8.cell, backend="paddle"), drop=Interval(1.5, 1, 2))
    measured = (
        replace(FP32, size_mb=10.0),
        replace(INT8, size_mb=2.5, quantize_s=20.0, ratio=Interval(2.0, 2, 2)),
        replace(PADDLE, size_mb=10.0),
        replace(paddle, size_mb=2.7, quantize_s=20.0, ratio=Interval(4.5, 4, 5)),
    )
    (offline,) = methods.methods(measured)
    assert offline == (
        "offline quantization",
        "20 s a model (20 to 20)",
        "1.00 points lost (median), at most 1.50 points (net on Paddle Inference)",
        "0.26 of FP32",
        "3.00 times FP32 (2.00 to 4.50)",
    )
    rest = methods.others(measured)
    assert rest is not None
    assert rest.startswith("Not measured in this run: distillation training, ")
    assert "offline" not in rest


def test_only_methods_that_were_measured_have_lines():
    assert methods.methods([FP32]) == ()
    assert methods.TITLE not in markdown.markdown(results(FP32))
    text = markdown.markdown(results(FP32, INT8))
    _, _, section = text.partition(f"## {methods.TITLE}")
    section, _, _ = section.partition("\n## ")
    assert section.count("\n|") == 3
    assert section.count("not measured") == 0
    assert section.count("Not measured in this run: ") == 1


def test_support_names_what_runs_or_why_not(monkeypatch):
    monkeypatch.setattr("fqbench.cells.find", lambda name: here())
    cpu, gpu = support.support()
    assert support.columns() == (
        "Hardware",
        "ONNX Runtime",
        "OpenVINO",
        "Paddle Inference",
        "TensorRT",
        "TensorRT for RTX",
    )
    halves = [
        label_of(name)
        for name in ("bf16", "fp16")
        if Cell("any", "openvino", "cpu", name).unsupported is None
    ]
    assert cpu == (
        "CPU",
        "FP32, INT8",
        ", ".join(["FP32", *halves, "INT8"]),
        "FP32, INT8",
        "no: TensorRT runs on NVIDIA GPUs only",
        "no: TensorRT for RTX runs on NVIDIA GPUs only",
    )
    reason = Cell("any", "onnxruntime", "gpu", "fp32").unsupported
    assert gpu[:4] == (
        "GPU",
        "FP32" if reason is None else f"no: {reason}",
        f"no: {Cell('any', 'openvino', 'gpu', 'fp32').unsupported}",
        "no: fqbench runs Paddle Inference on the CPU only",
    )


def timed(row: Row, launches: int, stopped: str, pinned: bool = True) -> Row:
    return replace(row, launches=launches, stopped=stopped, pinned=pinned)


def test_how_latencies_were_taken_is_told():
    rows = timed(FP32, 5, "narrow"), timed(INT8, 5, "narrow"), timed(PADDLE, 11, "time")
    (sentence,) = timing.sentences(rows, {})
    assert sentence == (
        "All cells of a model and device were timed in turns, in processes started 5 to 11 times,"
        " bound to one core; intervals show how figures differ from start to start. Timing ended"
        " when ratios were known to 1 % to either side; not so within the time given: net on the"
        " CPU."
    )


def test_what_was_not_bound_to_a_core_is_told():
    (sentence,) = timing.sentences([timed(FP32, 5, "narrow", pinned=False)], {})
    assert "5 times, not all bound to a core, which this system does not allow;" in sentence
    assert sentence.endswith("to either side.")


def test_what_the_machine_did_is_told():
    speed = {"float32": 56.1, "int8": 220.2, "copy": 17.12, "spread": 0.034}
    (sentence,) = timing.sentences([CRASHED], {"reference": speed})
    assert "56 float32 and 220 int8 multiply-adds (10^9 a second)" in sentence
    assert "copied 17.1 GB a second, and its slow moments took 3 % longer" in sentence


def test_further_metrics_stand_under_the_table_with_their_drops():
    fp32 = replace(FP32, further={"edits": Further(93.271)})
    int8 = replace(INT8, further={"edits": Further(92.5, Interval(0.771, 0.1, 1.25))})
    text = markdown.markdown(results(fp32, int8))
    assert (
        "Further metrics of the same answers: net-onnxruntime-cpu-fp32 1 - NED 93.27,"
        " net-onnxruntime-cpu-int8 1 - NED 92.50 (drop 0.77, 0.10 to 1.25)." in text
    )
    # What the metrics mean that are shown, and no others.
    assert "1 - NED is 1 minus the edit distance" in text
    assert "OKS" not in text
    assert int8.to_json()["further"] == {
        "edits": {"accuracy": 92.5, "drop": {"value": 0.771, "ci95": [0.1, 1.25]}}
    }
    assert "Further" not in markdown.markdown(results(FP32, INT8))
