"""Where the time of an inference on a GPU goes, in words and figures."""

import io
import json

import pytest
from rich.console import Console

from fqbench import machine
from fqbench.backends import Split
from fqbench.cells import Cell
from fqbench.measure.split import medians
from fqbench.report import markdown, split, terminal
from fqbench.report.notes import notes
from fqbench.results import Results, Row

PARTS = Split(0.25, 1.5, 0.125)


def test_total_is_the_sum_of_the_parts():
    assert PARTS.total == 1.875


def test_medians_are_those_of_each_part():
    found = medians([Split(1, 5, 9), Split(2, 4, 7), Split(3, 6, 8)])
    assert found == Split(2, 5, 8)
    assert found.total == 15


def row(precision="int8", **facts):
    return Row(Cell("net", "tensorrt", "gpu", precision), "ok", **facts)


def test_table_has_a_line_for_each_cell_whose_parts_are_known():
    shown = split.split([row("fp32"), row(batch=8, split=PARTS)])
    assert shown == (("net", "TensorRT", "INT8", "8", "0.250", "1.500", "0.125", "1.875", "4267"),)
    assert len(split.COLUMNS) == len(shown[0])


def test_cells_without_a_graph_say_why():
    assert split.without_graph([row(), row(no_graph="sizes of the inputs are free")]) == (
        "net-tensorrt-gpu-int8: its kernels were launched one by one, not as a CUDA graph: sizes of"
        " the inputs are free.",
    )


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (None, None),
        (
            PARTS,
            {"host_to_device": 0.25, "compute": 1.5, "device_to_host": 0.125, "total": 1.875},
        ),
    ],
)
def test_rows_hold_the_parts_in_milliseconds(parts, expected):
    assert json.loads(json.dumps(row(split=parts).to_json()))["split_ms"] == expected


def test_rows_say_how_many_images_an_inference_was_of():
    assert row().to_json()["batch"] == 1
    assert row(batch=8).to_json()["batch"] == 8


def test_report_shows_the_parts():
    found = Results.now(machine.describe(1), [row(split=PARTS, no_graph="none <was> asked for")])
    text = markdown.markdown(found)
    assert "## Time on the GPU" in text
    assert "| net | TensorRT | INT8 | 1 | 0.250 | 1.500 | 0.125 | 1.875 | 533 |" in text
    assert "not as a CUDA graph: none &lt;was&gt; asked for." in text
    console = Console(record=True, width=120, file=io.StringIO())
    terminal.show(found, console)
    assert "Time on the GPU" in console.export_text()


def test_report_without_a_gpu_has_no_such_part():
    assert "Time on the GPU" not in markdown.markdown(Results.now(machine.describe(1), [row()]))


GPU = {
    "name": "NVIDIA <L4>",
    "driver": "580.65",
    "sm_mhz": 1200,
    "sm_max_mhz": 2040,
    "power_limit_w": 72.0,
    "slowed": ["power cap"],
}


@pytest.mark.parametrize(
    ("gpu", "note"),
    [
        (
            GPU,
            "GPU: NVIDIA <L4>, driver 580.65, its clock 1200 of 2040 MHz when it was done, power"
            " limit 72 W, slowed by power cap.",
        ),
        (
            {**GPU, "sm_mhz": None, "power_limit_w": None, "slowed": ()},
            "GPU: NVIDIA <L4>, driver 580.65.",
        ),
    ],
)
def test_notes_tell_the_gpu_and_how_many_images_it_took(gpu, note):
    found = Results.now({**machine.describe(1), "gpu": gpu}, [row(batch=8)])
    told = notes(found)
    assert note in told
    assert "at batch 1 (on the GPU of 8 images at once), in milliseconds" in told[0]


def test_notes_tell_a_reason_once():
    rows = [
        Row(Cell("net", "tensorrt", "gpu", precision), "unsupported", "no GPU")
        for precision in ("fp32", "fp16", "int8")
    ]
    told = notes(Results.now(machine.describe(1), rows))
    assert [note for note in told if note.endswith(": no GPU")] == [
        f"net-tensorrt-gpu-{precision}: unsupported: no GPU"
        for precision in ("fp32", "fp16", "int8")
    ]
