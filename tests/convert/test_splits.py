"""Splits that become slices where their results meet."""

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from fqbench.convert.splits import without_meeting_splits
from tests.support.operator_cases import SHAPE, cases, graph, i

SPLITS = {name: model for name, model in cases() if name.startswith("Split")}
APART = {"Split of which the last is read"}


@pytest.mark.parametrize("name", SPLITS)
def test_what_is_computed_stays(name):
    model = SPLITS[name]
    made = without_meeting_splits(model)
    onnx.checker.check_model(made)
    feed = {"x": np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)}
    for one, other in zip(
        ReferenceEvaluator(model).run(None, feed),
        ReferenceEvaluator(made).run(None, feed),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", SPLITS)
def test_only_those_whose_results_meet_become_slices(name):
    kinds = {node.op_type for node in without_meeting_splits(SPLITS[name]).graph.node}
    assert ("Split" in kinds) == (name in APART)


def test_split_of_unknown_size_stays():
    node = helper.make_node("Split", ["c", "sizes"], ["p0", "p1"], "op", axis=1)
    joined = helper.make_node("Concat", ["p1", "p0"], ["y"], "join", axis=1)
    sizes = helper.make_node("Identity", ["known"], ["sizes"], "same")
    model = graph([sizes, node, joined], ["y"], {"known": i(1, 3)}, 17)
    assert without_meeting_splits(model).graph.node[2].op_type == "Split"
