"""Gemm in its one form: the same function, whatever its factors, its layout and its bias."""

from itertools import product

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fqbench.convert.canonical import canonicalize
from fqbench.graph.graph import Graph, attributes
from fqbench.quantize.adapt import apply_rounded_weights
from fqbench.quantize.calibrate import calibrate
from tests.support.onnx_graphs import Net
from tests.support.qdq_reference import evaluate

IN, OUT = 12, 5


def gemm(bias=(OUT,), *, rows=1, weight_is_input=False, bias_is_input=False, seed=0, **attributes):
    """A model of one Gemm. ``bias``: its shape, or None."""
    random = np.random.default_rng(seed)
    left = (IN, rows) if attributes.get("transA") else (rows, IN)
    right = (OUT, IN) if attributes.get("transB") else (IN, OUT)
    given, constants, names = {"x": left}, {}, ["x", "w"]
    (given if weight_is_input else constants)["w"] = right
    if bias is not None:
        names.append("c")
        (given if bias_is_input else constants)["c"] = bias
    graph = helper.make_graph(
        [helper.make_node("Gemm", names, ["y"], "fc", **attributes)],
        "net",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in given.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (rows, OUT))],
        [
            numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
            for name, shape in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    feed = {n: random.normal(size=shape).astype(np.float32) for n, shape in given.items()}
    return model, feed


def layer(model):
    (found,) = (node for node in model.graph.node if node.op_type == "Gemm")
    return found


def assert_same(model, found, feed):
    outputs = [value.name for value in model.graph.output]
    wanted, result = evaluate(model, feed), evaluate(found, feed)
    for name in outputs:
        np.testing.assert_allclose(result[name], wanted[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("left", "right", "bias"),
    list(product((0, 1), (0, 1), (None, (), (1,), (OUT,), (1, OUT), (1, 1)))),
)
def test_factors_and_layouts_are_written_into_the_constants(left, right, bias):
    model, feed = gemm(bias, alpha=0.25, beta=-3.0, transA=left, transB=right)
    found = canonicalize(model, ())
    assert_same(model, found, feed)
    assert attributes(layer(found)).keys() <= {"transB"}
    graph = Graph(found)
    assert graph.layers() == [layer(found)]
    assert graph.weight(layer(found)).shape == (OUT, IN)
    kept = graph.bias(layer(found))
    assert (kept is None) if bias is None else (kept.shape == (OUT,))
    read = {name for node in found.graph.node for name in node.input}
    assert {tensor.name for tensor in found.graph.initializer} <= read


@pytest.mark.parametrize("bias", [(3, 1), (3, OUT)])
def test_bias_of_several_rows_keeps_its_shape(bias):
    model, feed = gemm(bias, rows=3, alpha=2.0, beta=0.5)
    found = canonicalize(model, ())
    assert_same(model, found, feed)
    assert not attributes(layer(found))


@settings(deadline=None, max_examples=25)
@given(
    st.floats(-4, 4, width=32),
    st.floats(-4, 4, width=32),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, (), (OUT,), (1, OUT)]),
)
def test_whatever_is_no_constant_keeps_its_factor(alpha, beta, weight, bias, shape):
    model, feed = gemm(
        shape, weight_is_input=weight, bias_is_input=bias, alpha=alpha, beta=beta, transA=1
    )
    found = canonicalize(model, ())
    assert_same(model, found, feed)
    if weight or (bias and shape is not None):
        assert Graph(found).layers() == []
    else:
        assert not attributes(layer(found))


def test_constants_that_others_read_are_copied():
    """Two Gemms of one weight and one bias, and other factors; the bias is an output, too."""
    net = Net(shape=(1, IN))
    weight = net.constant("w", net.random.normal(size=(IN, OUT)).astype(np.float32))
    bias = net.constant("c", net.random.normal(size=OUT).astype(np.float32))
    halved = net.node("Gemm", "x", weight, bias, alpha=0.5, channels=OUT)
    plain = net.node("Gemm", "x", weight, bias, beta=2.0, channels=OUT)
    added = net.node("Add", halved, bias)
    model = net.model(halved, plain, added)
    found = canonicalize(model, ())
    assert_same(model, found, {"x": net.image()})
    first, second = Graph(found).layers()
    assert first.input[1] != second.input[1] == "w"
    assert first.input[2] == "c" != second.input[2]
    assert not attributes(first)
    assert not attributes(second)


def test_empty_name_of_a_bias_is_none():
    model, feed = gemm(None, beta=3.0)
    named = onnx.ModelProto()
    named.CopyFrom(model)
    named.graph.node[0].input.append("")
    found = canonicalize(named, ())
    assert Graph(found).layers() == [layer(found)]
    assert Graph(found).bias(layer(found)) is None
    assert_same(model, found, feed)


def test_empty_name_of_a_convolutions_bias_is_none():
    net = Net(3)
    model = net.model(net.conv("x", 4))
    del model.graph.node[0].input[2]
    named = onnx.ModelProto()
    named.CopyFrom(model)
    named.graph.node[0].input.append("")
    found = canonicalize(named, (1, 3, 16, 16))
    assert len(Graph(found).layers()) == 1
    assert_same(model, found, {"x": net.image()})


@pytest.mark.parametrize("changes", [{"alpha": 0.1}, {"beta": 8.0}, {"transB": 1, "alpha": -3.0}])
def test_mean_is_kept_whatever_the_factors_were(changes):
    """Codes and bias correction of calibration hold for the Gemm that the model had."""
    model, feed = gemm(**changes)
    canonical = canonicalize(model, ())
    record = calibrate(canonical, [[feed["x"]]] * 3, "search")
    found = apply_rounded_weights(canonical, record, {layer(canonical).name})
    assert (onnx.numpy_helper.to_array(found.graph.initializer[0]) != 0).any()
    wanted, result = evaluate(model, feed)["y"], evaluate(found, feed)["y"]
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-4)
