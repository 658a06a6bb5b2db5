"""Graphs whose orders are given: two ways to run them answer about the same candidates."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from fqbench.backends.onnxruntime.lower import lower
from fqbench.errors import StepError
from fqbench.verify.conversion import graph_runner
from fqbench.verify.int8 import check_int8
from fqbench.verify.orders import ordered_outputs, with_given_orders
from tests.support.onnx_graphs import Net, record

PLACES = 16 * 16


def candidates(net: Net) -> onnx.ModelProto:
    """What is at the eight places that score best: in the order of their scores."""
    features = net.node("Relu", net.conv("x", 16))
    seen = net.node("Reshape", features, net.constant("flat", np.array([16, PLACES])))
    scores = net.node("Reshape", net.conv(features, 1, 1), net.constant("row", np.array([PLACES])))
    eight = net.constant("eight", np.array([8]))
    net.nodes.append(onnx.helper.make_node("TopK", [scores, eight], ["values", "places"], "n_topk"))
    taken = net.node("Gather", seen, "places", axis=1)
    rows = net.node("Transpose", taken, perm=[1, 0], channels=16)
    return net.model(net.gemm(rows, 5), features)


def test_outputs_in_an_order_are_found():
    model = candidates(Net(1))
    assert ordered_outputs(model) == {"gemm8"}
    net = Net(2)
    assert ordered_outputs(net.model(net.node("Relu", net.conv("x", 4)))) == frozenset()


def test_both_forms_are_fed_what_float_orders():
    net = Net(1)
    model = candidates(net)
    feeds = [[net.image()] for _ in range(2)]
    given, fed = with_given_orders(model, feeds)
    onnx.checker.check_model(given)
    assert [value.name for value in given.graph.input] == ["x", "places"]
    assert [value.name for value in given.graph.output] == ["gemm8", "relu1", "reshape4"]
    assert all(node.op_type != "TopK" for node in given.graph.node)
    for feed, more in zip(feeds, fed, strict=True):
        assert [value.dtype for value in more] == [np.float32, np.int64]
        wanted = graph_runner(model, optimized=True)(feed)
        found = graph_runner(given, optimized=True)(more)
        np.testing.assert_array_equal(found[0], wanted[0])
        assert more[1].tolist() == np.argsort(-found[2], kind="stable")[:8].tolist()


def test_what_an_order_hides_is_found_with_it_given():
    net = Net(1)
    model = candidates(net)
    form = lower(model, record(model, net.image()))
    feeds = [[net.image()] for _ in range(2)]
    run = graph_runner(form, optimized=True)

    def backwards(feed):
        """As if rounding had turned the order round."""
        first, *others = run(feed)
        return [first[::-1], *others]

    check_int8(model, form, backwards, feeds, ordered_outputs(model))
    with pytest.raises(StepError, match="output 'gemm8' agrees with it by"):
        check_int8(model, form, backwards, feeds)
    given, fed = with_given_orders(model, feeds)
    same = lower(given, record(model, net.image()))
    runs = graph_runner(same, optimized=True)
    check_int8(given, same, runs, fed)
    with pytest.raises(StepError, match="output 'gemm8' agrees with it by"):
        check_int8(given, same, lambda feed: [runs(feed)[0] * -1.0, *runs(feed)[1:]], fed)
