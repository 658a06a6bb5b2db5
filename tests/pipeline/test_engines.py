"""What the key of an engine holds, and what it is built with; nothing is built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from fqbench.artifacts import Artifact, key_of
from fqbench.backends import nvidia
from fqbench.backends.nvidia import Gpu, NoGpu
from fqbench.backends.tensorrt.library import Library
from fqbench.cells import Cell
from fqbench.errors import StepError
from fqbench.margins import Margins
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.images import Images
from fqbench.spec.check import ModelFacts
from fqbench.spec.load import load_spec
from fqbench.steps import Step
from fqbench.steps.key import job_inputs, key_inputs
from tests.support.tiny_spec import write_spec

ADA = Gpu("NVIDIA GeForce RTX 4090", (8, 9), "580.65.06", (13, 0), 24564)
SOURCE = Artifact("lower_tensorrt", "k1", Path("/artifacts/k1"))


@pytest.fixture
def machine(monkeypatch):
    """Makes this a machine with a GPU (or a reason for none) and with a version of the library."""

    def make(gpu: Gpu | str = ADA, version: str = "10.14.1") -> None:
        def found() -> Gpu:
            if isinstance(gpu, str):
                raise NoGpu(gpu)
            return gpu

        monkeypatch.setattr(nvidia, "gpu", found)
        monkeypatch.setattr(Library, "missing", lambda self: None)
        monkeypatch.setattr(Library, "version", lambda self: version)

    make()
    return make


@pytest.fixture
def graph(tmp_path, machine):
    """A new graph of one model, with its images never looked at."""
    spec = load_spec(write_spec(tmp_path), None)
    digests = SimpleNamespace(of=lambda paths: ["0"] * len(paths))
    return lambda: ModelGraph(
        spec, ModelFacts(("x",), "x"), Images(spec, digests), Margins(), caches=tmp_path / "caches"
    )


def here(graph: ModelGraph, backend: str) -> Step:
    """The engine of FP32 for the GPU that is here."""
    return graph.artifact(Cell(graph.spec.name, backend, "gpu", "fp32"))


def key(step: Step, source: Artifact = SOURCE) -> str:
    inputs = key_inputs(step, lambda node: source, lambda paths: ["0"] * len(paths))
    return key_of(step.name, inputs)


def built_with(step: Step) -> dict[str, object]:
    return job_inputs(step, lambda node: SOURCE)


def test_engine_of_tensorrt_is_of_this_gpu(graph, tmp_path):
    step = here(graph(), "tensorrt")
    assert (step.name, step.libraries) == ("engine", ("onnx",))
    assert (step.needs.alone, step.needs.gpu) == ("always", True)
    job = built_with(step)
    cache = Path(job.pop("timing_cache"))
    assert job == {
        "model": "/artifacts/k1",
        "backend": "tensorrt",
        "library": ["TensorRT", "10.14.1"],
        "gpu": ["NVIDIA GeForce RTX 4090", [8, 9], "580.65.06"],
        "target": None,
    }
    assert cache.parent == tmp_path / "caches" / "timing_cache"
    assert cache.suffix == ".cache"


def test_engine_of_tensorrt_for_rtx_aims_at_this_gpu(graph):
    job = built_with(here(graph(), "tensorrt_rtx"))
    assert job["library"] == ["TensorRT for RTX", "10.14.1"]
    assert job["gpu"] == ["NVIDIA GeForce RTX 4090", [8, 9], "580.65.06"]
    assert job["target"] == [8, 9]
    assert job["timing_cache"] is None


def test_engine_built_ahead_needs_no_gpu(graph, machine):
    machine("there is no NVIDIA driver")
    cell = Cell("tiny", "tensorrt_rtx", "gpu", "fp32")
    step = graph().engine(cell, (12, 0))
    assert (step.needs.alone, step.needs.gpu) == ("never", False)
    assert built_with(step) == {
        "model": "/artifacts/k1",
        "backend": "tensorrt_rtx",
        "library": ["TensorRT for RTX", "10.14.1"],
        "gpu": None,
        "target": [12, 0],
        "timing_cache": None,
    }


@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt_rtx"])
@pytest.mark.parametrize(
    "other",
    [
        {"gpu": replace(ADA, name="NVIDIA L40S")},
        {"gpu": replace(ADA, capability=(8, 6))},
        {"gpu": replace(ADA, driver="550.54.15")},
        {"version": "10.13.0"},
    ],
    ids=["name", "capability", "driver", "version"],
)
def test_engine_is_another_for(graph, machine, backend, other):
    before = key(here(graph(), backend))
    machine(**other)
    assert key(here(graph(), backend)) != before


@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt_rtx"])
@pytest.mark.parametrize(
    "other", [{"memory_mb": None}, {"cuda": (12, 4)}, {}], ids=["memory", "CUDA", "nothing"]
)
def test_engine_is_the_same_for(graph, machine, backend, other):
    before = key(here(graph(), backend))
    machine(replace(ADA, **other))
    moved = replace(SOURCE, path=Path("/moved/k1"))
    assert key(here(graph(), backend), moved) == before


def test_engine_is_another_for_another_library_model_or_target(graph):
    def ahead(backend, capability):
        return graph().engine(Cell("tiny", backend, "gpu", "fp32"), capability)

    found = [
        key(ahead("tensorrt", (8, 9))),
        key(ahead("tensorrt_rtx", (8, 9))),
        key(ahead("tensorrt_rtx", (8, 9)), replace(SOURCE, key="k2")),
        key(ahead("tensorrt_rtx", (8, 6))),
    ]
    assert len(set(found)) == len(found)


def test_times_are_kept_by_gpu_for_all_models_and_versions(graph, machine):
    found = [here(graph(), "tensorrt")]
    machine(version="10.13.0")
    found.append(here(graph(), "tensorrt"))
    for other in ({"name": "NVIDIA L40S"}, {"driver": "550.54.15"}):
        machine(replace(ADA, **other))
        found.append(here(graph(), "tensorrt"))
    caches = [built_with(step)["timing_cache"] for step in found]
    assert caches[0] == caches[1]
    assert len(set(caches)) == 3


def test_nothing_is_planned_without_a_gpu_or_the_library(graph, machine, monkeypatch):
    machine("there is no NVIDIA driver")
    with pytest.raises(NoGpu, match="there is no NVIDIA driver"):
        here(graph(), "tensorrt_rtx")
    machine()
    monkeypatch.setattr(Library, "missing", lambda self: f"{self.name} is not installed")
    with pytest.raises(StepError, match="TensorRT is not installed"):
        here(graph(), "tensorrt")
    with pytest.raises(StepError, match="TensorRT for RTX is not installed"):
        graph().engine(Cell("tiny", "tensorrt_rtx", "gpu", "fp32"), (8, 9))
