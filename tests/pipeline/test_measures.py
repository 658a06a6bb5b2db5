"""What is measured beside latency, on real runtimes, and its way into results."""

import json
from dataclasses import replace
from functools import partial

import pytest

from fqbench.artifacts import Store
from fqbench.backends import backend
from fqbench.cells import Cell
from fqbench.cli import run as run_command
from fqbench.cli.main import main
from fqbench.margins import Margins
from fqbench.measure.end_to_end import PARTS, EndToEnd
from fqbench.measure.launches import MeasurementBudget
from fqbench.measure.measures import MEASURES, NotMeasured
from fqbench.measure.memory import MemoryUse
from fqbench.measure.startup import Startup
from fqbench.measure.throughput import Throughput
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.measurements import Effort, sides
from fqbench.pipeline.model import Model
from fqbench.pipeline.run import run
from fqbench.spec.check import check_model
from fqbench.spec.load import load_spec
from fqbench.steps.executor import LocalExecutor
from tests.support.openvino import needs_openvino
from tests.support.paddle import needs_paddle
from tests.support.quick_fqbench import BUDGET, TIMING_BUDGET
from tests.support.tiny_spec import write_spec

pytestmark = pytest.mark.slow

EFFORT = Effort(budget=MeasurementBudget(fewest=3, most=3, per_launch=TIMING_BUDGET), processes=3)


@pytest.fixture(scope="module")
def project(tmp_path_factory, shared_cache):
    return write_spec(tmp_path_factory.mktemp("project")), Store(shared_cache)


def measured(project, name, precisions=("fp32", "int8"), measures=MEASURES):
    """The outcome of a small model on one backend."""
    file, store = project
    spec = load_spec(file, None)
    model = Model(spec, check_model(spec), LocalExecutor(store))
    cells = tuple(Cell(spec.name, name, "cpu", precision) for precision in precisions)
    request = Request(cells, Margins(), budget=BUDGET, measures=measures, effort=EFFORT)
    return run([plan(model.graph, request)], model.executor)


@pytest.mark.parametrize(
    "name",
    [
        "onnxruntime",
        pytest.param("openvino", marks=[pytest.mark.slow, needs_openvino]),
        pytest.param("paddle", marks=[pytest.mark.slow, needs_paddle]),
    ],
)
def test_every_backend_of_the_cpu_has_all_figures(project, name):
    fp32, int8 = measured(project, name).rows
    for row in (fp32, int8):
        assert row.status == "ok", row.reason
        assert tuple(row.measures) == MEASURES
        throughput, memory, startup, whole = row.measures.values()
        assert isinstance(throughput, Throughput), throughput
        assert throughput.images_per_s.low > 10
        assert throughput.launches == 3
        assert isinstance(memory, MemoryUse), memory
        assert 20 < memory.before_mb < memory.peak_mb.value < 2000
        assert memory.runtime_mb > 1
        assert memory.model_mb.value >= 0
        assert isinstance(startup, Startup), startup
        parts = (startup.import_ms, startup.load_ms, startup.first_ms)
        assert min(parts) > 0
        assert startup.import_ms > 10
        assert startup.ms.low <= startup.ms.value <= startup.ms.high
        assert isinstance(whole, EndToEnd), whole
        assert tuple(whole.parts_ms) == PARTS
        assert 0.5 * whole.ms.value < sum(whole.parts_ms.values()) < 2 * whole.ms.value
        assert whole.images == 4
    assert [row.measures["throughput"].ratio is None for row in (fp32, int8)] == [True, False]
    assert int8.measures["end_to_end"].inference_ratio.value > 0
    assert int8.measures["startup"].ratio.value > 0


def test_nothing_is_measured_that_was_not_asked_for(project):
    outcome = measured(project, "onnxruntime", ("fp32",), ("memory",))
    (row,) = outcome.rows
    assert set(row.measures) == {"memory"}
    assert set(outcome.samples.measures) == {"memory"}
    (values,) = outcome.samples.measures["memory"].values()
    assert [len(launch) for launch in values] == [1, 1, 1]


def test_backend_that_does_not_say_how_has_no_throughput(project, monkeypatch):
    monkeypatch.setattr(
        "fqbench.pipeline.measurements.throughput.backend",
        lambda name: replace(backend(name), throughput=None),
    )
    (row,) = measured(project, "onnxruntime", ("fp32",), ("throughput",)).rows
    assert row.status == "ok"
    assert row.measures["throughput"] == NotMeasured(
        "ONNX Runtime does not say how it runs at full load", failed=False
    )


def break_memory(monkeypatch):
    """Every process that measures memory ends at once."""
    make = sides.one_process
    monkeypatch.setattr(
        "fqbench.pipeline.measurements.memory.one_process",
        lambda function, *rest: make("missing:watch_memory", *rest),
    )


def test_measurement_that_fails_leaves_the_others(project, monkeypatch):
    break_memory(monkeypatch)
    (row,) = measured(project, "onnxruntime", ("fp32",), ("memory", "startup")).rows
    assert row.status == "ok"
    found = row.measures["memory"]
    assert isinstance(found, NotMeasured)
    assert found.failed
    assert "No module named 'fqbench.measure.missing'" in found.reason
    assert isinstance(row.measures["startup"], Startup)


class TestCommand:
    @pytest.fixture(autouse=True)
    def _surroundings(self, monkeypatch, tmp_path):
        monkeypatch.setenv("FQBENCH_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("FQBENCH_DATA", raising=False)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(run_command, "Request", partial(Request, budget=BUDGET, effort=EFFORT))

    def test_figures_are_in_files_and_terminal(self, tmp_path, capsys):
        out = tmp_path / "out"
        spec = write_spec(tmp_path / "project")
        options = ("--backends", "onnxruntime", "--precisions", "fp32", "--out", str(out))
        assert main(["run", "--spec", str(spec), "--measure", "memory,end_to_end", *options]) == 0
        (row,) = json.loads((out / "results.json").read_text())["rows"]
        assert list(row["measures"]) == ["memory", "end_to_end"]
        found = row["measures"]["memory"]["peak_mb"]
        assert found["ci95"][0] <= found["value"] <= found["ci95"][1]
        assert set(row["measures"]["end_to_end"]["parts_ms"]) == set(PARTS)
        report, shown = (out / "report.md").read_text(), capsys.readouterr().out
        for text in (report, shown):
            assert "Memory" in text
            assert "End to end" in text
            assert "Throughput" not in text
        assert "Images: tiny 4 of list.txt." in report

    def test_failed_measurement_is_an_exit_code_of_1(self, tmp_path, monkeypatch, capsys):
        break_memory(monkeypatch)
        spec = write_spec(tmp_path / "project")
        options = ("--backends", "onnxruntime", "--precisions", "fp32")
        out = ("--out", str(tmp_path / "out"))
        arguments = ["run", "--spec", str(spec), "--measure", "memory", "--verbose"]
        assert main([*arguments, *options, *out]) == 1
        shown = " ".join(capsys.readouterr().out.split())
        assert "tiny-onnxruntime-cpu-fp32: memory not measured: it failed: timing" in shown

    def test_unknown_measure_is_one_sentence(self, tmp_path, capsys):
        assert main(["run", "--measure", "speed", "--out", str(tmp_path)]) == 2
        assert capsys.readouterr().err.splitlines() == [
            "fqbench: --measure 'speed': expected throughput, memory, startup, end_to_end"
        ]
