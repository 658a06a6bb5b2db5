"""What the key of an engine holds, and what it is built with; nothing is built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fqbench.artifacts import Artifact, Store
from fqbench.backends import nvidia
from fqbench.backends.nvidia import Gpu, NoGpu
from fqbench.backends.tensorrt.library import Library
from fqbench.errors import StepError
from fqbench.pipeline.engines import Engines
from fqbench.pipeline.step import Steps

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
def made(monkeypatch):
    """The calls of ``Steps.make``: step, key, arguments and libraries of each."""
    calls = []

    def make(self, name, inputs, arguments, libraries, images=0):
        calls.append((name, dict(inputs), dict(arguments), libraries))
        return Artifact(name, str(len(calls)), Path("/artifacts") / str(len(calls)))

    monkeypatch.setattr(Steps, "make", make)
    return calls


@pytest.fixture
def engines(tmp_path, machine, made):
    return Engines(Steps("model", Store(tmp_path), lambda *_: None))


def test_engine_of_tensorrt_is_of_this_gpu(engines, made, tmp_path):
    assert engines.here("tensorrt", SOURCE).key == "1"
    ((name, key, arguments, libraries),) = made
    assert (name, libraries) == ("engine", ("onnx",))
    assert key == {
        "model": "k1",
        "library": "TensorRT",
        "library_version": "10.14.1",
        "gpu": ["NVIDIA GeForce RTX 4090", [8, 9], "580.65.06"],
    }
    cache = Path(arguments.pop("timing_cache"))
    assert arguments == {"model": "/artifacts/k1", "backend": "tensorrt"}
    assert cache.parent == tmp_path / "timing_cache"
    assert cache.suffix == ".cache"


def test_engine_of_tensorrt_for_rtx_aims_at_this_gpu(engines, made):
    engines.here("tensorrt_rtx", SOURCE)
    ((_, key, arguments, _),) = made
    assert key == {
        "model": "k1",
        "library": "TensorRT for RTX",
        "library_version": "10.14.1",
        "gpu": ["NVIDIA GeForce RTX 4090", [8, 9], "580.65.06"],
    }
    assert arguments == {"model": "/artifacts/k1", "backend": "tensorrt_rtx", "target": [8, 9]}


def test_engine_built_ahead_needs_no_gpu(engines, machine, made):
    machine("there is no NVIDIA driver")
    engines.ahead("tensorrt_rtx", SOURCE, (12, 0))
    assert made == [
        (
            "engine",
            {
                "model": "k1",
                "library": "TensorRT for RTX",
                "library_version": "10.14.1",
                "target": [12, 0],
            },
            {"model": "/artifacts/k1", "backend": "tensorrt_rtx", "target": [12, 0]},
            ("onnx",),
        )
    ]


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
def test_engine_is_another_for(engines, machine, made, backend, other):
    engines.here(backend, SOURCE)
    machine(**other)
    engines.here(backend, SOURCE)
    assert made[0][1] != made[1][1]


@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt_rtx"])
@pytest.mark.parametrize(
    "other", [{"memory_mb": None}, {"cuda": (12, 4)}, {}], ids=["memory", "CUDA", "nothing"]
)
def test_engine_is_the_same_for(engines, machine, made, backend, other):
    engines.here(backend, SOURCE)
    machine(replace(ADA, **other))
    engines.here(backend, replace(SOURCE, path=Path("/moved/k1")))
    assert made[0][1] == made[1][1]


def test_engine_is_another_for_another_library_model_or_target(engines, made):
    engines.ahead("tensorrt", SOURCE, (8, 9))
    engines.ahead("tensorrt_rtx", SOURCE, (8, 9))
    engines.ahead("tensorrt_rtx", replace(SOURCE, key="k2"), (8, 9))
    engines.ahead("tensorrt_rtx", SOURCE, (8, 6))
    assert all(a[1] != b[1] for n, a in enumerate(made) for b in made[:n])


def test_times_are_kept_by_gpu_for_all_models_and_versions(engines, machine, made):
    engines.here("tensorrt", SOURCE)
    machine(version="10.13.0")
    engines.here("tensorrt", replace(SOURCE, key="k2"))
    for other in ({"name": "NVIDIA L40S"}, {"driver": "550.54.15"}):
        machine(replace(ADA, **other))
        engines.here("tensorrt", SOURCE)
    caches = [arguments["timing_cache"] for _, _, arguments, _ in made]
    assert caches[0] == caches[1]
    assert len(set(caches)) == 3


def test_nothing_is_made_without_a_gpu_or_the_library(engines, machine, made, monkeypatch):
    machine("there is no NVIDIA driver")
    with pytest.raises(NoGpu, match="there is no NVIDIA driver"):
        engines.here("tensorrt_rtx", SOURCE)
    machine()
    monkeypatch.setattr(Library, "missing", lambda self: f"{self.name} is not installed")
    with pytest.raises(StepError, match="TensorRT is not installed"):
        engines.here("tensorrt", SOURCE)
    with pytest.raises(StepError, match="TensorRT for RTX is not installed"):
        engines.ahead("tensorrt_rtx", SOURCE, (8, 9))
    assert made == []
