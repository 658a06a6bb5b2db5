"""Runtimes' own profiles: every layer is found, in FP32 and in INT8, and is what it is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import onnx
import pytest
import yaml

from fqbench import isolate
from fqbench.artifacts import Store
from fqbench.backends import backend, backends
from fqbench.backends.node_times import NodeTime
from fqbench.cells import Cell
from fqbench.environments.interpreter import interpreter
from fqbench.graph.graph import Graph
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.int8_gain import int8_gain
from fqbench.measure.messages import NodeTiming
from fqbench.pipeline.model import Model
from fqbench.pipeline.zoo_models import embedded
from fqbench.spec.check import check_model
from fqbench.spec.load import load_spec
from fqbench.steps.executor import LocalExecutor

MODEL = "digits_mobilenet_v1"
PROFILED = [name for name, known in backends().items() if known.time_nodes is not None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Model:
    """An embedded model with depthwise layers, whose speed is taken for granted."""
    store = Store(shared_cache)
    content = json.loads(embedded(MODEL, store).model_dump_json(exclude_defaults=True))
    content["dataset"]["count"], content["calibration"]["count"] = 20, 8
    content |= {"name": "digits", "speed": "assumed"}
    path = tmp_path_factory.mktemp("model") / "digits.yaml"
    path.write_text(yaml.safe_dump(content))
    spec = load_spec(path, None)
    return Model(spec, check_model(spec), LocalExecutor(store))


def profile(model: Model, name: str, precision: str, folder: Path) -> list[NodeTime]:
    cell = Loadable(
        artifact=folder,
        backend=name,
        device="cpu",
        precision=precision,
        reading=model.graph.reading,
    )
    asked = NodeTiming(
        cell=cell,
        image=model.images.data.samples[0].path,
        threads=1,
        canonical=model.made(model.graph.canonical).file("model.onnx"),
    )
    found = isolate.call(
        "fqbench.measure.int8_gain:time_nodes",
        asked.to_json(),
        timeout_s=120.0,
        name="profile",
        interpreter=interpreter(backend(name).environment),
    )
    return [NodeTime(**node) for node in found]


@pytest.mark.slow
@pytest.mark.parametrize("name", PROFILED)
def test_every_layer_is_found_in_both(name: str, model: Model) -> None:
    if reason := Cell("digits", name, "cpu", "int8").unsupported:
        pytest.skip(reason)
    graph = Graph(onnx.load(str(model.made(model.graph.canonical).file("model.onnx"))))
    lowered = model.made(model.graph.lowered(name))
    planned = json.loads(lowered.file("plan.json").read_text())["quantized"]
    fp32 = profile(model, name, "fp32", model.made(model.graph.fp32(name)).path)
    int8 = profile(model, name, "int8", lowered.path)
    layers = [[node for node in form if node.role == "layer"] for form in (fp32, int8)]
    for found in layers:
        assert len(found) == len(graph.layers())
        named = Counter(node.layer for node in found)
        assert max(named.values()) == 1
        assert sum(node.depthwise for node in found) == sum(map(graph.is_depthwise, graph.layers()))
    assert {node.layer for node in layers[0]} == {node.layer for node in layers[1]}
    assert [sum(node.integers for node in found) for found in layers] == [0, planned]
    assert all(node.ms > 0 for found in layers for node in found)
    assert int8_gain(fp32, int8).faster.count > 0
