"""The published table beside what was measured."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench import zoo
from fqbench.cells import Cell
from fqbench.measure.stats import Interval, Latency
from fqbench.report.comparison import COLUMNS, NOTE, SIDE, comparison
from fqbench.report.published import published_figures
from fqbench.results import Row


def row(model, backend, precision, p50, **values):
    latency = Latency(Interval(p50, p50, p50), p50, p50, p50, p50, 10)
    metric = "top1" if "net" in model else "mAP"
    return Row(
        Cell(model, backend, "cpu", precision), "ok", latency=latency, metric=metric, **values
    )


RESNET = (
    row("resnet50_vd", "onnxruntime", "fp32", 57.5, accuracy=79.1),
    row(
        "resnet50_vd",
        "onnxruntime",
        "int8",
        17.9,
        accuracy=78.9,
        method="offline",
        ratio=Interval(3.21, 3.2, 3.22),
        drop=Interval(0.2, 0.1, 0.3),
        margin=0.2,
    ),
)
PPYOLOE = row("ppyoloe_crn_l_300e_coco", "paddle", "fp32", 1000.0)


def texts(rows):
    return [dict(zip(COLUMNS, line.texts, strict=True)) for line in comparison(rows)]


def published(found):
    return [line for line in found if line[SIDE] == "published" and line["FP32 ms"] != "-"]


# The figures


def test_figures_are_those_of_the_document():
    figures = {row.place: row for row in published_figures()}
    assert len(figures) == len(published_figures()) == 17
    assert sum(row.edition == "document" for row in figures.values()) == 15
    first = figures["yolov5s", "tensorrt", "gpu"]
    assert (first.fp32_ms, first.int8_ms, first.fp32_accuracy) == (8.79, 5.17, 37.6)
    assert (first.int8_accuracy, first.drop, first.method) == (36.6, 1.0, "distillation")
    last = figures["mobilenet_v1_ssld", "paddle", "cpu"]
    assert (last.edition, last.fp32_ms, last.drop) == ("1.0.7", 12.29, 6.53)
    assert first.ratio == pytest.approx(1.70, abs=0.005)


def test_figures_are_of_the_published_models_in_their_order():
    assert tuple(dict.fromkeys(row.model for row in published_figures())) == zoo.published_names()


# The table


def test_measured_stands_below_published():
    found = texts(RESNET)
    place = next(
        i
        for i, line in enumerate(found)
        if line["Backend"] == "ONNX Runtime" and line["Model"] == "resnet50_vd"
    )
    above, below = found[place : place + 2]
    assert above == {
        "Model": "resnet50_vd",
        "Backend": "ONNX Runtime",
        "Device": "CPU",
        SIDE: "published",
        "FP32 ms": "77.20",
        "INT8 ms": "40.08",
        "Ratio": "1.93",
        "Metric": "top-1",
        "FP32": "79.12",
        "INT8": "78.87",
        "Drop": "0.25",
        "Margin": "-",
        "Method": "offline quantization",
        NOTE: "",
    }
    assert below == {
        "Model": "resnet50_vd",
        "Backend": "ONNX Runtime",
        "Device": "CPU",
        SIDE: "measured",
        "FP32 ms": "57.50",
        "INT8 ms": "17.90",
        "Ratio": "3.21 (3.20 to 3.22)",
        "Metric": "top-1",
        "FP32": "79.10",
        "INT8": "78.90",
        "Drop": "0.20 (0.10 to 0.30)",
        "Margin": "0.2 ?",
        "Method": "offline quantization",
        NOTE: "",
    }


@pytest.mark.parametrize("chosen", [RESNET, RESNET[:1], (PPYOLOE,), (*RESNET, PPYOLOE)])
def test_every_published_row_stands_there_whatever_was_measured(chosen):
    shown = [(line["FP32 ms"], line["INT8 ms"]) for line in published(texts(chosen))]
    assert shown == [(f"{r.fp32_ms:.2f}", f"{r.int8_ms:.2f}") for r in published_figures()]


def test_nothing_is_compared_where_no_published_model_was_measured():
    assert comparison([replace(RESNET[0], cell=Cell("net", "onnxruntime", "cpu", "fp32"))]) == ()


def test_rows_that_cannot_run_here_tell_why():
    found = texts(RESNET)
    reason = Cell("yolov5s", "tensorrt", "gpu", "int8").unsupported
    assert found[1][SIDE] == "measured"
    assert found[1][NOTE] == f"not measured: {reason}"


def test_rows_that_could_run_but_were_not_chosen_say_so():
    (line,) = [
        line
        for line in texts(RESNET)[1::2]
        if line["Model"] == "yolov7" and line["Backend"] == "ONNX Runtime"
    ]
    assert line[NOTE] == "not measured: it was not chosen"


def test_measured_cell_that_was_never_published_is_shown():
    lines = [
        line
        for line in texts([PPYOLOE])
        if line["Backend"] == "Paddle Inference" and line["Model"] == "ppyoloe_crn_l_300e_coco"
    ]
    assert [line[SIDE] for line in lines] == ["published", "measured"]
    assert lines[0][NOTE] == "not in the published table"
    assert lines[1]["FP32 ms"] == "1000.00"


def test_synthetic_weights_show_no_accuracy():
    needs = "needs trained weights: fqbench fetch resnet50_vd"
    rows = [replace(r, weights="synthetic", needs=needs, accuracy=None, drop=None) for r in RESNET]
    line = next(line for line in texts(rows) if line["FP32 ms"] == "57.50")
    assert (line["FP32"], line["INT8"], line["Drop"]) == ("-", "-", "-")
    assert line[NOTE] == f"synthetic weights; {needs}"


def test_int8_file_is_compared_too():
    given_file = replace(
        RESNET[1], cell=replace(RESNET[1].cell, precision="int8_file"), method="given"
    )
    lines = [line for line in texts((*RESNET, given_file)) if line["FP32 ms"] == "57.50"]
    assert [line["Method"] for line in lines] == ["offline quantization", "INT8 file as given"]


@given(st.lists(st.sampled_from([*RESNET, PPYOLOE]), min_size=1, unique_by=lambda r: r.cell.id))
def test_each_place_opens_once_and_is_published_first(rows):
    shown = comparison(rows)
    opening = [line.texts[:3] for line in shown if line.opens]
    assert len(set(opening)) == len(opening)
    assert all(line.opens == (line.texts[COLUMNS.index(SIDE)] == "published") for line in shown)
