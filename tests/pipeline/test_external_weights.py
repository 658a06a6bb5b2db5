"""A model whose weights lie in a second file is the same model, and all its files are its key."""

import numpy as np
import onnx
import pytest

from fqbench.artifacts import Store
from fqbench.errors import FqbenchError
from fqbench.pipeline.model import Model
from fqbench.spec import Int8File
from fqbench.spec.check import check_model
from fqbench.spec.load import load_spec
from fqbench.steps.executor import LocalExecutor
from tests.support.external_data import split
from tests.support.tiny_spec import classifier, write_spec


@pytest.fixture
def spec(tmp_path):
    """Of a classifier with its weights in ``tiny.onnx.data``; one file holds it whole, too."""
    path = write_spec(tmp_path)
    onnx.save(classifier(), str(tmp_path / "whole.onnx"))
    split(tmp_path, classifier(), "tiny.onnx.data", "tiny.onnx")
    return load_spec(path, tmp_path)


def model_of(spec):
    """Its steps as of a new run."""
    store = Store(spec.model.parent / "cache")
    return Model(spec, check_model(spec), LocalExecutor(store))


def graph_of(artifact):
    return onnx.load(str(artifact.file("model.onnx")), load_external_data=False)


@pytest.mark.slow
def test_it_becomes_the_same_graph_and_another_one_with_other_weights(spec):
    two = model_of(spec)
    made = two.made(two.graph.canonical)
    one = model_of(spec.model_copy(update={"model": spec.model.with_name("whole.onnx")}))
    assert graph_of(made) == graph_of(one.made(one.graph.canonical))
    again = model_of(spec)
    assert again.made(again.graph.canonical).key == made.key
    data = spec.model.with_name("tiny.onnx.data")
    numbers = np.fromfile(data, np.float32)
    (2 * numbers).tofile(data)
    other = model_of(spec)
    changed = other.made(other.graph.canonical)
    assert changed.key != made.key
    assert graph_of(changed) != graph_of(made)


def test_data_that_is_gone_when_it_is_wanted_is_told(spec):
    model = model_of(spec)
    spec.model.with_name("tiny.onnx.data").unlink()
    with pytest.raises(FqbenchError, match=r"tiny\.onnx\.data"):
        model.made(model.graph.canonical)


@pytest.mark.slow
def test_an_int8_file_in_two_parts_is_measured_as_one(spec):
    given = split(spec.model.parent / "int8", classifier(), "int8.data", "int8.onnx")
    model = model_of(spec.model_copy(update={"int8": Int8File(model=given)}))
    made = model.made(model.graph.given("onnxruntime"))
    assert [path.name for path in made.path.iterdir() if path.suffix != ".json"] == ["model.onnx"]
    assert graph_of(made) == classifier()
