"""The networks that TensorRT's engines are built from, made by the pipeline without a GPU."""

import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fqbench.artifacts import Store
from fqbench.backends.tensorrt.plan import ONE_ROW
from fqbench.cells import Cell
from fqbench.margins import Margins
from fqbench.pipeline.model import Model
from fqbench.spec.check import check_model
from fqbench.spec.load import load_spec
from fqbench.steps.executor import LocalExecutor
from tests.support.tiny_spec import EVALUATED, classifier, write_spec

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tensorrt")
    path = write_spec(folder, speed="measured")
    # As wide as integer kernels want it.
    onnx.save(classifier(width=16), str(folder / "tiny.onnx"))
    spec = load_spec(path, None)
    store = Store(folder / "cache")
    return Model(spec, check_model(spec), LocalExecutor(store), margins=Margins())


def cell(precision, backend="tensorrt"):
    return Cell("tiny", backend, "gpu", precision)


def test_both_libraries_share_a_network(pipeline):
    for precision in ("fp32", "fp16", "int8", "int8_all"):
        one, other = (pipeline.network(cell(precision, b)) for b in ("tensorrt", "tensorrt_rtx"))
        assert one.key == other.key


def test_fp32_is_the_canonical_graph(pipeline):
    assert pipeline.network(cell("fp32")).key == pipeline.made(pipeline.graph.canonical).key


def test_fp16_has_float16_weights(pipeline):
    model = onnx.load(str(pipeline.network(cell("fp16")).file("model.onnx")))
    kinds = {numpy_helper.to_array(t).dtype for t in model.graph.initializer if len(t.dims) > 1}
    assert kinds == {np.dtype(np.float16)}


def test_int8_is_quantized_without_timing_anything(pipeline):
    assert pipeline.int8_is_used(cell("int8"))
    lowered = pipeline.made(pipeline.graph.lowered("tensorrt"))
    assert lowered.key == pipeline.network(cell("int8")).key
    lowering = pipeline.lowering(cell("int8"))
    assert (lowering.convolutions, lowering.quantized) == (3, 2)
    choice = pipeline.choice(cell("int8"))
    assert list(choice.float_layers.values()) == [ONE_ROW]
    assert choice.forms == {}
    assert all(layer.int8_ms is None for layer in choice.layers)
    assert pipeline.quantizing_seconds(cell("int8")) > 0.0
    plan = json.loads(lowered.file("plan.json").read_text())
    # The one layer in float has its reason in the choice.
    assert plan == {
        "convolutions": 3,
        "quantized": 2,
        "float_layers": {},
        "float_operators": {},
    }


def test_networks_answer_as_fp32_does(pipeline):
    answers = {p: pipeline.emulated(cell(p)) for p in ("fp32", "fp16", "int8")}
    assert {len(found.predictions) for found in answers.values()} == {EVALUATED}
    # Pairs round there, and no layer is fused with them.
    assert {found.int8_convolutions for found in answers.values()} == {0}
    for precision in ("fp16", "int8"):
        assert abs(pipeline.drop(answers["fp32"], answers[precision]).value) <= 100 / EVALUATED
