"""Records of methods and precisions: what they must hold, what clashes, and what is planned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pytest

from fqbench import plugins
from fqbench.cells import Cell
from fqbench.data.digests import Digests
from fqbench.errors import StepError, UsageError
from fqbench.margins import Margins, ModelMargin
from fqbench.methods import DEFAULT, Method, method, methods, offered
from fqbench.methods.distillation import METHOD as DISTILLATION
from fqbench.methods.offline import METHOD as OFFLINE
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.images import Images
from fqbench.precisions import Number, Precision, baseline, label_of, precision, precisions
from fqbench.precisions import registry as precisions_registry
from fqbench.precisions.own import FP32, INT8
from fqbench.spec.check import ModelFacts
from fqbench.spec.load import load_spec
from tests.support.tiny_spec import write_spec


@pytest.mark.parametrize("record", [Method, Precision, Number])
def test_no_field_has_a_default(record: Any) -> None:
    """It would be some other's, and hold for another in silence."""
    assert [f.name for f in fields(record) if f.default is not MISSING] == []
    assert [f.name for f in fields(record) if f.default_factory is not MISSING] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Off-line"}, "name is 'Off-line', expected lower-case"),
        ({"yields": "both"}, "yields is 'both', expected quantization or model"),
        ({"plan": "module:plan"}, "plan is no function"),
        ({"images": None}, "images is no function"),
    ],
)
def test_a_method_that_cannot_be_says_why(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        replace(OFFLINE, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "int-8"}, "name is 'int-8', expected lower-case"),
        ({"kernel": "float16"}, "kernel is 'float16', expected float32, int8, copy or None"),
        ({"network": None}, "network is no function"),
    ],
)
def test_a_precision_that_cannot_be_says_why(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        replace(INT8, **changes)


def test_own_methods() -> None:
    assert list(methods())[:3] == ["offline", "distillation", "given"]
    assert offered()[:2] == ("offline", "distillation")
    assert "given" not in offered()
    assert methods()[DEFAULT] is OFFLINE
    with pytest.raises(UsageError, match="there is no method 'online': the methods are offline"):
        method("online")


def test_own_precisions() -> None:
    assert [name for name in precisions() if name in ("fp32", "bf16", "fp16", "int8")] == [
        "fp32",
        "bf16",
        "fp16",
        "int8",
    ]
    assert baseline() is FP32
    assert (label_of("int8_all"), label_of("bf17")) == ("INT8", "BF17")
    assert "int8_file" not in precisions()
    assert precision("int8_file").method == "given"
    with pytest.raises(UsageError, match="there is no precision 'int9': the precisions are fp32"):
        precision("int9")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The precisions that are found: ours, and what a test adds."""
    found: dict[str, Any] = {"fp16": precision("fp16"), "fp32": FP32, "int8": INT8}
    monkeypatch.setattr(plugins, "load", lambda group, kind: found)
    precisions_registry.precisions.cache_clear()
    yield found
    precisions_registry.precisions.cache_clear()


def test_the_baseline_comes_first_then_most_bits(installed: dict[str, Any]) -> None:
    installed["int4"] = replace(INT8, name="int4", weights=Number(4, "integer"))
    installed["fp64"] = replace(FP32, name="fp64", baseline=False, weights=Number(64, "float"))
    assert list(precisions()) == ["fp32", "fp64", "fp16", "int8", "int4"]


def test_two_baselines_are_refused(installed: dict[str, Any]) -> None:
    installed["fp64"] = replace(FP32, name="fp64")
    with pytest.raises(UsageError, match="fp32, fp64 call themselves the baseline, expected one"):
        precisions()


def test_a_form_of_int8_is_ours(installed: dict[str, Any]) -> None:
    installed["int8_all"] = replace(INT8, name="int8_all")
    with pytest.raises(UsageError, match="'int8_all' of a package has the name of a form of INT8"):
        precisions()


def graph(folder: Path, name: str = DEFAULT, **changes: Any) -> ModelGraph:
    spec = load_spec(write_spec(folder), None).model_copy(update=changes)
    images = Images(spec, Digests(folder))
    return ModelGraph(spec, ModelFacts(("x",), "x"), images, Margins(), name, caches=folder)


class TestQuantizing:
    """The steps from the canonical graph to the INT8 form, which a row's time is the sum of."""

    @pytest.mark.parametrize("backend", ["onnxruntime", "paddle"])
    def test_offline(self, tmp_path: Path, backend: str) -> None:
        steps = graph(tmp_path).quantizing(backend)
        assert [step.name for step in steps] == ["calibrate", "choose", f"lower_{backend}"]

    @pytest.mark.parametrize("backend", ["onnxruntime", "paddle"])
    def test_distillation(self, tmp_path: Path, backend: str) -> None:
        model = graph(tmp_path, DISTILLATION.name)
        steps = model.quantizing(backend)
        names = ["calibrate", "choose", "distill", "choose", f"lower_{backend}"]
        assert [step.name for step in steps] == names
        assert steps[-3] is model.quantization(backend)

    def test_of_one_form_alike(self, tmp_path: Path) -> None:
        model = graph(tmp_path, DISTILLATION.name)
        assert model.quantization("tensorrt_rtx") is model.quantization("tensorrt")


def test_random_weights_learn_nothing(tmp_path: Path) -> None:
    assert graph(tmp_path, DISTILLATION.name).method == "distillation"
    random = graph(tmp_path, DISTILLATION.name, weights="synthetic")
    assert random.method == DEFAULT


def test_a_whole_model_has_no_quantization(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = replace(
        OFFLINE, label="whole", yields="model", plan=lambda model, backend: model.canonical
    )
    monkeypatch.setattr("fqbench.pipeline.graph.quantization.method_of", lambda name: whole)
    model = graph(tmp_path)
    with pytest.raises(StepError, match="whole makes whole INT8 models, so no layers are chosen"):
        model.lowered("onnxruntime")
    assert model.quantizing("onnxruntime") == (model.canonical,)


class TestSeveralMethods:
    """One graph, and views of it in which other methods make INT8 models."""

    def test_what_does_not_depend_on_the_method_is_shared(self, tmp_path: Path) -> None:
        model = graph(tmp_path)
        other = model.of(Cell(model.spec.name, "paddle", "cpu", "int8", DISTILLATION.name))
        assert (model.method, other.method) == (DEFAULT, DISTILLATION.name)
        assert other.canonical is model.canonical
        assert other.ranges is model.ranges
        assert other.fp32("paddle") is model.fp32("paddle")

    def test_what_does_is_made_by_each(self, tmp_path: Path) -> None:
        model = graph(tmp_path)
        other = model.by(DISTILLATION.name)
        assert other.lowered("paddle") is not model.lowered("paddle")
        assert other.lowered("paddle") is model.by(DISTILLATION.name).lowered("paddle")
        names = [step.name for step in other.quantizing("paddle")]
        assert names == ["calibrate", "choose", "distill", "choose", "lower_paddle"]

    def test_a_cell_without_a_method_has_that_of_the_run(self, tmp_path: Path) -> None:
        model = graph(tmp_path, DISTILLATION.name)
        assert model.of(Cell(model.spec.name, "paddle", "cpu", "int8")) is model

    def test_margins_of_methods_differ(self, tmp_path: Path) -> None:
        """What is chosen of the same ranges depends on the margin."""
        spec = load_spec(write_spec(tmp_path), None)
        entry = {"model": spec.name, "source": "a test", "reason": "a test"}
        loose = ModelMargin(**entry, drop=5.0)
        strict = ModelMargin(**entry, drop=0.5, method=DISTILLATION.name)
        images = Images(spec, Digests(tmp_path))
        margins = Margins((loose, strict))
        model = ModelGraph(spec, ModelFacts(("x",), "x"), images, margins, caches=tmp_path)
        other = model.by(DISTILLATION.name)
        ours = model.choice_for("paddle", model.ranges)
        theirs = other.choice_for("paddle", other.ranges)
        assert ours.inputs["limit"] != theirs.inputs["limit"]

    def test_random_weights_learn_nothing_there_either(self, tmp_path: Path) -> None:
        random = graph(tmp_path, weights="synthetic")
        assert random.by(DISTILLATION.name).method == DEFAULT


def test_a_name_is_one_function(tmp_path: Path) -> None:
    from fqbench.pipeline import steps

    model = graph(tmp_path)
    inputs = {"canonical": model.canonical, "input_shape": [1, 3, 8, 6]}
    model.step("multiply_adds", inputs, ("onnx",))
    with pytest.raises(ValueError, match="the name 'multiply_adds' is that of another step"):
        model.step("multiply_adds", inputs, ("onnx",), function=steps.score)
