"""ONNX's own node tests, and drawn ones, through every conversion: each agrees or is refused."""

from collections import Counter

import numpy as np
import onnx
import pytest

from tests.support.openvino import needs_openvino
from tests.support.paddle import needs_paddle
from tools.node_tests.__main__ import CRASHED, taken_through
from tools.node_tests.cases import cases
from tools.node_tests.converting import AGREES, DIFFERS, _difference
from tools.node_tests.generated import DRAWING, generated

BACKENDS = [
    ("onnxruntime", 0.95),
    pytest.param("openvino", 0.8, marks=needs_openvino),
    pytest.param("paddle", 0.7, marks=needs_paddle),
]
"""With the part of cases that agree at least: what refuses everything is not to pass."""

OF_DRAWN = 3
"""Of each operator: the command draws more."""

EVERY = 5
"""All of them take minutes: ``python -m tools.node_tests``. Neighbours are variants of one test."""


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "least"), BACKENDS)
def test_none_differs_without_a_word(backend, least):
    found = taken_through(backend, [case.name for case in cases()][::EVERY])
    assert {name: text for name, (kind, text) in found.items() if kind == DIFFERS} == {}
    counts = Counter(kind for kind, _ in found.values())
    assert counts[AGREES] >= least * len(found)
    assert counts[CRASHED] <= 5


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "least"), BACKENDS)
def test_of_drawn_shapes_and_attributes_none_differs(backend, least):
    found = taken_through(backend, [case.name for case in generated(OF_DRAWN)])
    assert {name: text for name, (kind, text) in found.items() if kind == DIFFERS} == {}
    counts = Counter(kind for kind, _ in found.values())
    assert counts[AGREES] >= least * len(found)
    assert counts[CRASHED] <= 5


def test_drawn_models_are_valid_and_the_same_each_time():
    drawn = {case.name: case for case in generated(2)}
    assert len(drawn) == 2 * len(DRAWING)
    for case in generated(1):
        onnx.checker.check_model(case.model, full_check=True)
        again = drawn[case.name]
        assert again.model == case.model
        np.testing.assert_array_equal(again.feed[0], case.feed[0])
    assert drawn["drawn Conv 0"].model != drawn["drawn Conv 1"].model


def test_one_value_that_is_off_differs():
    wanted = np.linspace(-1, 1, 100, dtype=np.float32)
    found = wanted.copy()
    assert _difference([wanted], [found]) is None
    found[50] += 0.01
    assert _difference([wanted], [found]) == "off by 0.01"


def test_other_shapes_and_counts_differ():
    value = np.ones((2, 3), np.float32)
    assert _difference([value], [value.T]) == "shape (3, 2) instead of (2, 3)"
    assert _difference([value], [value, value]) == "2 outputs instead of 1"


def test_all_inputs_but_the_first_are_constants():
    by_name = {case.name: case for case in cases()}
    conv, fed = (
        by_name["basic_conv_with_padding"],
        by_name["basic_conv_with_padding of several inputs"],
    )
    assert [value.name for value in conv.model.graph.input] == ["x"]
    assert [tensor.name for tensor in conv.model.graph.initializer] == ["W"]
    assert [value.name for value in fed.model.graph.input] == ["x", "W"]
    assert len(fed.feed) == 2
    assert "adam" not in by_name
