"""Where the time of an inference on a GPU goes, in words and figures."""

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import TypeAdapter
from rich.console import Console

from fqbench import machine
from fqbench.backends import Split
from fqbench.backends.nvidia import Conditions, NoGpu
from fqbench.cells import Cell
from fqbench.errors import StepError
from fqbench.margins import Margins
from fqbench.measure import gpu_breakdown as measured
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.gpu_breakdown import GpuBreakdown, medians
from fqbench.pipeline.cell_steps import CellSteps, ModelSteps, Request
from fqbench.pipeline.rows.draft import Draft, Ran
from fqbench.pipeline.rows.timed import on_gpu
from fqbench.pipeline.steps import multiply_adds
from fqbench.report import gpu, markdown, terminal
from fqbench.report.notes import notes
from fqbench.report.table import figures
from fqbench.results import Results, Row
from fqbench.steps import Finished, Measurement, Step
from fqbench.steps.finished import Failed, Value
from tests.support.jobs import READING

PARTS = Split(0.25, 1.5, 0.125)
CELL = {
    "artifact": "/artifacts/k1",
    "backend": "tensorrt",
    "device": "gpu",
    "precision": "int8",
    "reading": READING,
}


def test_total_is_the_sum_of_the_parts():
    assert PARTS.total == 1.875


def test_medians_are_those_of_each_part():
    found = medians([Split(1, 5, 9), Split(2, 4, 7), Split(3, 6, 8)])
    assert found == Split(2, 5, 8)
    assert found.total == 15


CONDITIONS = Conditions(1200, 2040, 5001, 61, 72.0, True, ("power cap",))


def row(precision="int8", split=None, no_graph=None, conditions=None, **facts):
    gpu = None if split is None else GpuBreakdown(split, no_graph, conditions)
    return Row(Cell("net", "tensorrt", "gpu", precision), "ok", gpu=gpu, **facts)


def test_table_has_a_line_for_each_cell_whose_parts_are_known():
    shown = gpu.lines([row("fp32"), row(batch=8, split=PARTS)])
    assert shown == (("net", "TensorRT", "INT8", "8", "0.250", "1.500", "0.125", "1.875", "4267"),)
    assert len(gpu.COLUMNS) == len(shown[0])


def test_cells_without_a_graph_say_why():
    free = row("fp32", PARTS, "sizes of the inputs are free")
    assert gpu.notes([row(), row(split=PARTS), free]) == (
        gpu.MEANING,
        "net-tensorrt-gpu-fp32: its kernels were launched one by one, not as a CUDA graph: sizes of"
        " the inputs are free.",
    )


def test_notes_tell_what_the_gpu_was_doing_then():
    slower = replace(CONDITIONS, sm_mhz=1185, slowed=("power cap", "hardware slowdown"))
    rows = [row(split=PARTS, conditions=each) for each in (CONDITIONS, slower)]
    assert gpu.notes(rows)[1:] == (
        "Behind them the GPU's clock was 1185 to 1200 of 2040 MHz.",
        "It was slowed by: power cap, hardware slowdown.",
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, None),
        (
            {"split": PARTS},
            {
                "split_ms": {
                    "host_to_device": 0.25,
                    "compute": 1.5,
                    "device_to_host": 0.125,
                    "total": 1.875,
                },
                "no_graph": None,
                "conditions": None,
            },
        ),
    ],
)
def test_rows_hold_the_parts_in_milliseconds(facts, expected):
    assert json.loads(json.dumps(row(**facts).to_json()))["gpu"] == expected


def test_rows_say_how_many_images_an_inference_was_of():
    assert row().to_json()["batch"] == 1
    assert row(batch=8).to_json()["batch"] == 8


read = TypeAdapter(GpuBreakdown).validate_python


class RunnerStandIn:
    """Counts what it is asked to run, and tells parts that grow."""

    no_graph = "none was asked for"

    def __init__(self):
        self.ran, self.splits = 0, 0

    def run(self, inputs):
        self.ran += 1

    def split(self, inputs):
        self.splits += 1
        return Split(self.splits, 2 * self.splits, 1.0)


def test_parts_are_timed_behind_a_warm_up(monkeypatch):
    runner = RunnerStandIn()
    monkeypatch.setattr(Loadable, "load", lambda cell, threads: runner)
    monkeypatch.setattr(Loadable, "feed", lambda cell, image: [])
    monkeypatch.setattr(measured, "read_image", lambda path: None)
    monkeypatch.setattr(measured.nvidia, "conditions", lambda: CONDITIONS)
    told = measured.time_split({"cell": CELL, "threads": 1, "image": "x"}, lambda *_: None)
    assert (runner.ran, runner.splits) == (measured.WARM_UP, measured.RUNS)
    middle = (1 + measured.RUNS) / 2
    found = read(json.loads(json.dumps(told)))
    assert found == GpuBreakdown(Split(middle, 2 * middle, 1.0), "none was asked for", CONDITIONS)


def test_gpu_that_does_not_tell_its_conditions_fails_nothing(monkeypatch):
    def lost():
        raise NoGpu("the NVIDIA GPU fell off the bus: reboot")

    monkeypatch.setattr(Loadable, "load", lambda cell, threads: RunnerStandIn())
    monkeypatch.setattr(Loadable, "feed", lambda cell, image: [])
    monkeypatch.setattr(measured, "read_image", lambda path: None)
    monkeypatch.setattr(measured.nvidia, "conditions", lost)
    told = measured.time_split({"cell": CELL, "threads": 1, "image": "x"}, lambda *_: None)
    assert read(told).conditions is None


def test_runner_that_tells_no_parts(monkeypatch):
    monkeypatch.setattr(Loadable, "load", lambda cell, threads: object())
    told = measured.time_split({"cell": CELL, "threads": 1, "image": "x"}, lambda *_: None)
    assert told is None


def test_report_shows_the_parts():
    facts = {"name": "NVIDIA <L4>", "driver": "580.65", "capability": [8, 9]}
    found = Results.now(
        {**machine.describe(1), "gpu": facts},
        [row(split=PARTS, no_graph="none <was> asked for", batch=4)],
    )
    text = markdown.markdown(found)
    assert "## Time on the GPU" in text
    assert "| net | TensorRT | INT8 | 4 | 0.250 | 1.500 | 0.125 | 1.875 | 2133 |" in text
    assert "not as a CUDA graph: none &lt;was&gt; asked for." in text
    assert "GPU: NVIDIA &lt;L4&gt; (compute capability 8.9), driver 580.65." in text
    assert "at batch 1 (on the GPU of 4 images at once), in milliseconds" in text
    console = Console(record=True, width=120, file=io.StringIO())
    terminal.show(found, console, report=Path("report.html"), verbose=True)
    assert "Time on the GPU" in console.export_text()


def test_report_without_a_gpu_has_no_such_part():
    assert "Time on the GPU" not in markdown.markdown(Results.now(machine.describe(1), [row()]))


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


def test_fp16_has_no_layers_in_int8():
    half = replace(row("fp16"), int8_convolutions=0)
    assert figures(row("fp32"), half)["INT8 layers"] == "-"
    given = replace(row("int8_file"), int8_convolutions=7)
    assert figures(row("fp32"), given)["INT8 layers"] == "7"


def planned(found=None, **request):
    """The steps of a TensorRT cell whose file is there, what a GPU tells of it, and its row."""
    cell = row().cell
    loads = Step("multiply_adds", "net", multiply_adds, {"canonical": "x", "input_shape": []})
    gpu = Measurement("on_gpu", "net", (loads,), lambda *_: None)
    steps = CellSteps(cell, loads, gpu=gpu)
    model = ModelSteps(SimpleNamespace(), Request((cell,), Margins(), **request), (), None)
    result = Failed(found) if isinstance(found, Exception) else Value(found)
    return Ran(model, Finished({gpu: result})), steps


def test_row_of_a_gpu_tells_batch_and_parts():
    ran, steps = planned(GpuBreakdown(PARTS), batch=4)
    found = on_gpu(ran, Draft(row()), steps).row
    assert (found.status, found.batch, found.gpu) == ("ok", 4, GpuBreakdown(PARTS))


def test_cell_whose_parts_cannot_be_timed_fails_alone():
    ran, steps = planned(StepError("the GPU is out of memory"))
    found = on_gpu(ran, Draft(row()), steps).row
    assert (found.status, found.reason) == ("failed", "the GPU is out of memory")
    failed = replace(row(), status="failed", reason="it crashed")
    assert on_gpu(ran, Draft(failed), steps).row.reason == "it crashed"


def test_only_a_gpu_is_timed_with_several_images():
    request = Request((), Margins(), batch=8)
    assert request.batch_of(Cell("net", "tensorrt", "gpu", "int8")) == 8
    assert request.batch_of(Cell("net", "paddle", "cpu", "int8")) == 1
