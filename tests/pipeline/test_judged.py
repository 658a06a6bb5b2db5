"""Errors that decide are those of what runs, and nothing of one CPU is taken on another."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fqbench.artifacts import Store
from fqbench.cells import Cell
from fqbench.isolate.parent import _run, _Watch
from fqbench.margins import Margins
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import MeasurementBudget
from fqbench.pipeline import steps
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.model import Model
from fqbench.pipeline.run import run
from fqbench.pipeline.zoo_models import embedded
from fqbench.report.notes import notes
from fqbench.results import Results
from fqbench.spec import Int8File
from fqbench.spec.check import check_model
from fqbench.steps import Step
from fqbench.steps.executor import LocalExecutor
from fqbench.tune.error import relative_error
from tests.support.jobs import perform
from tests.support.paddle import PADDLE
from tests.support.saturating import environment

NAME = "digits_mobilenet_v1"
QUICK = MeasurementBudget(
    fewest=1, most=1, per_launch=TimingBudget(warm_up=0.01, rounds=2, fewest=2)
)


def pipeline_of(store, **changes):
    spec = embedded(NAME, store)
    fewer = {
        "dataset": spec.dataset.model_copy(update={"count": 60}),
        "calibration": spec.calibration.model_copy(update={"count": 12}),
    }
    spec = spec.model_copy(update={**fewer, **changes})
    return Model(spec, check_model(spec), LocalExecutor(store))


def answered(pipeline, cell, artifact, images):
    """The outputs of ``artifact`` for each of ``images``, by the code that evaluates it."""
    return _run(
        "tests.support.isolated_functions:outputs",
        {
            "cell": Loadable(
                artifact=artifact.path,
                backend=cell.backend,
                device=cell.device,
                precision=cell.precision,
                reading=pipeline.graph.reading,
            ).model_dump(mode="json"),
            "images": [str(path) for path in images],
        },
        {},
        _Watch("the test", timeout_s=120),
    )


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnxruntime", PADDLE])
def test_judge_computes_what_the_evaluation_s_process_answers(shared_cache, backend):
    pipeline = pipeline_of(Store(shared_cache))
    cell = Cell(NAME, backend, "cpu", "int8")
    choice = pipeline.choice(cell)
    images = pipeline.images.calibration
    fp32 = replace(cell, backend="onnxruntime", precision="fp32")
    wanted, found = (
        [
            [np.array(output, np.float32) for output in outputs]
            for outputs in answered(pipeline, each, artifact, images)
        ]
        for each, artifact in (
            (fp32, pipeline.made(pipeline.graph.canonical)),
            (cell, pipeline.made(pipeline.graph.lowered(cell.backend))),
        )
    )
    assert choice.error == pytest.approx(relative_error(wanted, found), rel=1e-3)
    assert 0.0 < choice.error < 0.1


@pytest.mark.slow
def test_steps_of_another_cpu_are_made_again(tmp_path, monkeypatch):
    made = {}
    for isa in ("here", "AVX2"):
        if isa != "here":
            monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", isa)
        step = Step("probe", "a_model", steps.probe, {"backend": "onnxruntime"}, ("onnxruntime",))
        made[isa] = LocalExecutor(Store(tmp_path)).run([step]).artifact(step)
    assert made["here"].key != made["AVX2"].key
    assert made["here"].path != made["AVX2"].path


@pytest.mark.slow
def test_a_file_whose_layers_saturate_here_says_so_with_both_scores(
    tmp_path, shared_cache, monkeypatch
):
    """Its weights have eight bits, as any toolkit's: it was made where that is right."""
    ours = pipeline_of(Store(shared_cache), speed="assumed")
    cell = Cell(NAME, "onnxruntime", "cpu", "int8")
    everything = replace(ours.choice(cell), safe={}, unsigned=())
    target = tmp_path / "choice"
    target.mkdir()
    everything.write(target / "choice.json")
    lowered = tmp_path / "file"
    lowered.mkdir()
    perform(
        "lower",
        lowered,
        backend="onnxruntime",
        quantization=str(ours.made(ours.graph.ranges).path),
        choice=str(target),
        everything=False,
        cores=1,
        images=[str(path) for path in ours.images.calibration[:2]],
        reading=ours.graph.reading.model_dump(mode="json"),
    )
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    store = Store(tmp_path / "second")
    pipeline = pipeline_of(store, int8=Int8File(model=lowered / "model.onnx"))
    cells = (replace(cell, precision="fp32"), cell)
    planned = plan(pipeline.graph, Request(cells, Margins(), budget=QUICK))
    rows = run([planned], pipeline.executor).rows
    _, int8, given = rows
    assert [row.status for row in rows] == ["ok"] * 3
    assert int8.saturates
    assert int8.safe_layers > 0
    assert 0 < given.saturating_layers <= given.integer_layers
    assert given.accuracy_exact is not None
    assert given.accuracy <= given.accuracy_exact
    told = " ".join(notes(Results.now({"cpu": CPU, "threads": 1, "versions": {}}, rows)))
    assert "8-bit products saturate here in ONNX Runtime" in told
    assert f"{given.saturating_layers} of {given.integer_layers} integer layers saturate" in told
    assert f"it scores {given.accuracy:.2f}, {given.accuracy_exact:.2f} without" in told
    written = json.loads(json.dumps(Results.now({}, rows).to_json()))
    assert written["machine"]["saturates"] == {"onnxruntime": True}


CPU = {"model": "a CPU", "isa": ["avx2"], "cores": 1}
