"""Other toolkits as methods: a row each, beside ours, of a failing one, too."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml

from fqbench.artifacts import Store
from fqbench.backends import backend
from fqbench.cells import Cell, Selection
from fqbench.errors import StepError
from fqbench.margins import Margins, ModelMargin
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import MeasurementBudget
from fqbench.methods import Method, methods
from fqbench.methods.onnxruntime_quantization import STATIC
from fqbench.methods.onnxruntime_quantization.quantize import quantize_graph, saturates
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.model import Model
from fqbench.pipeline.rows import Outcome
from fqbench.pipeline.run import run
from fqbench.pipeline.zoo_models import embedded
from fqbench.report import by_method
from fqbench.results import Row
from fqbench.spec.check import check_model
from fqbench.spec.load import load_spec
from fqbench.steps import Files, Needs
from fqbench.steps.executor import LocalExecutor
from fqbench.steps.job import Function
from tests.support import failing_methods
from tests.support.openvino import needs_openvino
from tests.support.paddle import needs_paddle
from tests.support.toolkits import needs_modelopt, needs_nncf, needs_ort_quantization

MODEL = "digits_mobilenet_v1"
QUICK = MeasurementBudget(
    fewest=1,
    most=1,
    per_launch=TimingBudget(
        warm_up=0.0, warm_up_runs=1, settling=0.0, block=0.001, rounds=2, fewest=1, longest=1.0
    ),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Model:
    """An embedded model with a part of its images, whose speed is taken for granted."""
    store = Store(shared_cache)
    content = json.loads(embedded(MODEL, store).model_dump_json(exclude_defaults=True))
    content["dataset"]["count"], content["calibration"]["count"] = 100, 8
    content |= {"name": "digits", "speed": "assumed"}
    path = tmp_path_factory.mktemp("model") / "digits.yaml"
    path.write_text(yaml.safe_dump(content))
    spec = load_spec(path, None)
    return Model(spec, check_model(spec), LocalExecutor(store))


def outcome(
    model: Model,
    *names: str,
    budget: MeasurementBudget | None = None,
    backend: str = "onnxruntime",
) -> Outcome:
    """The rows of FP32 and of these methods on a backend."""
    chosen = Selection(
        backends=(backend,), devices=("cpu",), precisions=("fp32", "int8"), methods=names
    )
    cells = chosen.cells([model.spec.name])
    planned = plan(model.graph, Request(cells, Margins(), budget=budget))
    return run([planned], model.executor)


def cell(method: str | None) -> Cell:
    return Cell("digits", "onnxruntime", "cpu", "int8", method)


def row_of(found: Outcome, method: str | None) -> Row:
    return next(row for row in found.rows if row.cell == cell(method))


@needs_nncf
@needs_ort_quantization
@pytest.mark.slow
def test_rows_stand_beside_each_other(model: Model) -> None:
    names = ("offline", "nncf", "nncf_advised", "ort_static", "ort_advised")
    found = outcome(model, *names, budget=QUICK)
    fp32, *rows = found.rows
    assert [row.cell.method for row in found.rows] == [None, None, *names[1:]]
    assert [row.method for row in rows] == list(names)
    assert fp32.size_mb is not None
    for row in rows:
        assert (row.status, row.reason) == ("ok", None)
        assert row.accuracy is not None
        assert row.accuracy > 50
        assert row.drop is not None
        assert row.ratio is not None
        assert row.quantize_s is not None
        assert row.quantize_s > 0
        assert row.size_mb is not None
        assert row.size_mb < fp32.size_mb / 2
    assert len({row.hashes["files"] for row in rows}) == len(names)
    # One group: they were timed in turns.
    assert len(found.samples.groups) == 1
    assert set(found.samples.groups[0].cells) == {row.cell.id for row in found.rows}
    lines = by_method.lines(found.rows)
    labels = ["FP32", *(methods()[name].label for name in names)]
    assert [line[3] for line in lines] == labels


@needs_nncf
@needs_ort_quantization
@needs_openvino
@pytest.mark.slow
def test_openvino_runs_what_they_write(model: Model) -> None:
    names = ("nncf", "nncf_advised", "ort_static", "ort_advised")
    found = outcome(model, *names, backend="openvino")
    assert [(row.status, row.reason) for row in found.rows] == [("ok", None)] * 5
    for row in found.rows[1:]:
        assert row.accuracy is not None
        assert row.accuracy > 50
        assert row.int8_convolutions is not None
        assert row.int8_convolutions > 10


@needs_ort_quantization
class TestOnnxRuntimeQuantization:
    """What its two methods write."""

    @staticmethod
    def written(model: Model, name: str) -> tuple[set[str], set[int]]:
        """Types of activations, and how many scales the weights of a convolution have."""
        made = model.made(model.graph.by(name).network(cell(name)))
        graph = onnx.load(str(made.file("model.onnx"))).graph
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        types, counts = set(), set()
        for node in graph.node:
            if node.op_type == "QuantizeLinear":
                types.add(onnx.TensorProto.DataType.Name(tensors[node.input[2]].data_type))
            elif node.op_type == "DequantizeLinear":
                codes = tensors.get(node.input[0])
                if codes is not None and len(codes.dims) == 4:
                    counts.add(max(tensors[node.input[1]].dims, default=1))
        return types, counts

    @pytest.mark.slow
    def test_defaults_are_signed_with_a_scale_for_each_tensor(self, model: Model) -> None:
        types, counts = self.written(model, "ort_static")
        assert types == {"INT8"}
        assert counts == {1}

    @pytest.mark.slow
    def test_advised_is_unsigned_per_channel(self, model: Model) -> None:
        types, counts = self.written(model, "ort_advised")
        assert types == {"UINT8"}
        assert min(counts) > 1


@needs_nncf
@pytest.mark.slow
def test_accuracy_control_keeps_what_it_may_lose(model: Model) -> None:
    found = outcome(model, "nncf", "nncf_accuracy")
    assert [(row.status, row.reason) for row in found.rows] == [("ok", None)] * 3
    assert [row.method for row in found.rows[1:]] == ["nncf", "nncf_accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize(("margins", "expected"), [((), 1.0), ((0.25,), 0.25)])
def test_accuracy_control_sees_calibration_images_alone(
    margins: tuple[float, ...], expected: float, model: Model
) -> None:
    entries = (
        ModelMargin(model="digits", drop=drop, source="a test", reason="a test") for drop in margins
    )
    other = Model(
        model.spec, check_model(model.spec), model.executor, margins=Margins(tuple(entries))
    )
    step = methods()["nncf_accuracy"].plan(other.graph.by("nncf_accuracy"), "openvino")
    validating = step.inputs["validating"]
    assert isinstance(validating, Files)
    assert step.inputs["max_drop"] == expected
    assert set(validating.paths) <= set(other.images.calibration)
    assert not set(validating.paths) & {sample.path for sample in other.images.data.samples}


@pytest.mark.slow
def test_random_weights_teach_accuracy_control_nothing(model: Model) -> None:
    spec = model.spec.model_copy(update={"weights": "synthetic"})
    graph = Model(spec, check_model(spec), model.executor).graph
    asked = Cell("digits", "openvino", "cpu", "int8", "nncf_accuracy")
    assert graph.unsupported(asked) == (
        "NNCF accuracy control learns from a model's answers, and random weights have none"
    )


@needs_paddle
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["paddle", "onnxruntime"])
def test_paddleslim_runs_on_paddle_and_through_paddle2onnx(backend: str, model: Model) -> None:
    names = ("paddleslim_ptq", "paddleslim_published")
    found = outcome(model, *names, backend=backend)
    assert [(row.status, row.reason) for row in found.rows] == [("ok", None)] * 3
    assert [row.method for row in found.rows[1:]] == list(names)
    for row in found.rows[1:]:
        assert row.accuracy is not None
        assert row.accuracy > 50
        assert row.int8_convolutions is not None
        assert row.int8_convolutions > 10
    assert len({row.hashes["files"] for row in found.rows}) == 3


@needs_modelopt
@pytest.mark.slow
def test_modelopt_is_signed_with_a_scale_for_each_channel(model: Model) -> None:
    made = model.made(model.graph.by("modelopt").network(cell("modelopt")))
    graph = onnx.load(str(made.file("model.onnx"))).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    pairs = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert {tensors[node.input[2]].data_type for node in pairs} == {onnx.TensorProto.INT8}
    assert max(max(tensors[node.input[1]].dims, default=1) for node in pairs) > 1


@pytest.mark.parametrize(
    ("name", "environment"), [("modelopt", "modelopt"), ("paddleslim_ptq", "paddle")]
)
def test_a_toolkit_that_is_not_installed_says_what_to_do(
    name: str, environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FQBENCH_ENVIRONMENTS", str(tmp_path))
    monkeypatch.setattr("fqbench.environments.environment._is_here", lambda wanted: False)
    assert methods()[name].unsupported("onnxruntime", "cpu") == (
        f"the environment {environment} is not on this machine:"
        f" run 'fqbench env make {environment}'"
    )


@needs_nncf
@pytest.mark.slow
@pytest.mark.parametrize("preset", ["nncf", "nncf_advised"])
def test_nncf_writes_openvino_s_own_format_for_a_backend_that_loads_it(
    model: Model, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = replace(backend("onnxruntime"), loads=(".xml", ".bin"))
    monkeypatch.setattr("fqbench.methods.nncf.backend_of", lambda name: loading)
    step = methods()[preset].plan(model.graph, "onnxruntime")
    made = model.made(step)
    assert made.file("model.xml").stat().st_size > 0
    assert made.file("model.bin").stat().st_size > 0


@pytest.mark.parametrize(
    ("arch", "isa", "expected"),
    [
        ("x86_64", ["avx2", "avx512f"], True),
        ("x86_64", ["avx2", "avx512_vnni"], False),
        ("x86_64", ["avx2", "avx_vnni"], False),
        ("aarch64", ["asimddp"], False),
        ("x86_64", None, False),
    ],
)
def test_cpus_without_vnni_saturate(arch: str, isa: object, expected: bool) -> None:
    assert saturates(arch, isa) is expected


def test_a_package_that_is_missing_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime.quantization", None)
    with pytest.raises(StepError, match=r"cannot be imported .*: install fqbench\[toolkits\]"):
        quantize_graph(tmp_path / "a.onnx", tmp_path / "b.onnx", [], advised=False)


def failing(name: str, function: Function) -> Method:
    def make(model: Any, backend: str) -> Any:
        inputs = {"canonical": model.canonical}
        return model.step(name, inputs, ("onnx",), 0, function=function, needs=Needs(cores=1))

    return replace(STATIC, name=name, label=name, plan=make)


FAILING: dict[str, tuple[Function, str]] = {
    "crashes": (failing_methods.crash, "SIGABRT"),
    "hangs": (failing_methods.hang, "did not"),
    "refused": (failing_methods.write_garbage, "INVALID_PROTOBUF"),
    "empty": (failing_methods.write_nothing, "holds no file that ONNX Runtime loads"),
}


@pytest.fixture
def with_failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    own = methods()

    def install(name: str) -> None:
        found = {**own, name: failing(name, FAILING[name][0])}
        monkeypatch.setattr("fqbench.methods.registry.methods", lambda: found)
        monkeypatch.setattr("fqbench.steps.step.STEP_S", 30.0 if name == "hangs" else 600.0)

    return install


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILING)
def test_a_toolkit_that_fails_does_so_in_its_row_alone(
    name: str, model: Model, with_failing: Callable[[str], None]
) -> None:
    with_failing(name)
    found = outcome(model, "offline", name, budget=QUICK)
    assert [row.status for row in found.rows] == ["ok", "ok", "failed"]
    row = row_of(found, name)
    assert row.reason is not None
    assert FAILING[name][1] in row.reason
    assert row_of(found, None).ratio is not None
    line = by_method.lines(found.rows)[-1]
    assert line[6] == "failed"
