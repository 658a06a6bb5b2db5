"""One version's models, built and evaluated by its own code: what the comparing fqbench reads."""

import json
import random

import pytest

from fqbench.cells import Selection
from fqbench.gate.live.built_version import read_built
from fqbench.gate.live.comparison import ComparisonSettings, compare_live, time_pairs
from fqbench.gate.selftest.trial import TIME_SLOWED_CELL
from fqbench.gate.side import Matrix, build, code_digest
from fqbench.isolate import Interpreter
from tests.support.tiny_spec import write_spec

FP32 = Selection(backends=("onnxruntime",), precisions=("fp32",))


def answered(cache, specs, side="base"):
    arguments = Matrix(tuple(specs), FP32).arguments(side, cache, 1)
    json.dumps(arguments)
    answer = build(arguments, lambda *_: None)
    # As it comes from a child process.
    return json.loads(json.dumps(answer, allow_nan=False))


@pytest.fixture
def specs(tmp_path, monkeypatch):
    monkeypatch.delenv("FQBENCH_DATA", raising=False)
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: [")
    lacking = write_spec(tmp_path / "lacking", name="lacking")
    (lacking.parent / "lacking.onnx").unlink()
    return [write_spec(tmp_path / "tiny"), broken, lacking, tmp_path / "absent.yaml"]


@pytest.mark.slow
def test_rows_accuracies_and_processes_are_answered(shared_cache, specs):
    answer = answered(shared_cache, specs)
    rows = {row["cell"]: row for row in answer["rows"]}
    cell = "tiny-onnxruntime-cpu-fp32"
    assert {name: row["status"] for name, row in rows.items()} == {
        cell: "ok",
        "broken-onnxruntime-cpu-fp32": "failed",
        "lacking-onnxruntime-cpu-fp32": "failed",
    }
    assert "broken.yaml" in rows["broken-onnxruntime-cpu-fp32"]["reason"]
    assert rows[cell]["latency_ms"] is None
    assert answer["code"] == code_digest()
    assert set(answer["processes"]) == {cell}
    assert len(answer["samples"]["accuracies"][cell]) > 100
    built = read_built("v1", answer, Interpreter.here())
    assert built.processes[cell].sides == ("base",)


@pytest.mark.slow
def test_a_version_against_itself_and_a_slowed_one(shared_cache, specs):
    """Real processes: unchanged, since all is the same; then the same cell, slowed threefold."""
    built = read_built("v1", answered(shared_cache, specs[:1]), Interpreter.here())
    report = compare_live(built, built, ComparisonSettings(), lambda *_: None)
    assert [verdict.status for verdict in report.decision.verdicts] == ["unchanged"]
    ((cell, process),) = built.processes.items()
    slow = {**process.arguments, "slowdown": 2.0}
    slowed = type(process)(process.name, process.sides, TIME_SLOWED_CELL, slow)
    settings = ComparisonSettings(seconds=1)
    timed = time_pairs({cell: (process, slowed)}, settings, random.Random(0))[cell]
    assert timed.again is not None
    medians = [sorted(t for b in timed.first.times[s][0] for t in b)[1] for s in ("base", "head")]
    assert medians[1] > 2 * medians[0]


@pytest.mark.slow
def test_names_that_this_version_does_not_have_are_left_out_and_told(shared_cache, specs):
    """The other one may have them: their cells are new then, or gone."""
    chosen = Selection(backends=("nothing", "onnxruntime"), precisions=("fp32", "fp4"))
    arguments = Matrix(tuple(specs[:1]), chosen).arguments("base", shared_cache, 1)
    answer = build(arguments, lambda *_: None)
    assert answer["left_out"] == {"backends": ["nothing"], "precisions": ["fp4"]}
    assert [row["cell"] for row in answer["rows"]] == ["tiny-onnxruntime-cpu-fp32"]
    only = Matrix(tuple(specs[:1]), Selection(backends=("nothing",)))
    answer = build(only.arguments("base", shared_cache, 1), lambda *_: None)
    assert (answer["rows"], answer["left_out"]) == ([], {"backends": ["nothing"]})


def test_a_method_that_this_version_does_not_have_fails_its_cells(tmp_path, specs):
    arguments = Matrix(tuple(specs[:1]), FP32, method="given").arguments("base", tmp_path, 1)
    (row,) = build(arguments, lambda *_: None)["rows"]
    assert row["status"] == "failed"
    assert row["reason"].startswith("there is no method 'given': the methods are offline, ")
