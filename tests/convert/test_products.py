"""Matrix products by constants become layers: the same function, weight and bias in place."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fqbench.convert.products import products_as_layers
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph


def graph_of(nodes, shape, constants, outputs=("y",)):
    return helper.make_model(
        helper.make_graph(
            nodes,
            "products",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )


def run(model, image):
    session = open_session(model.SerializeToString(), session_options(threads=1))
    return session.run(None, {"x": image})


def kinds(model):
    return [node.op_type for node in model.graph.node]


def values(shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 8 - 1


def test_product_of_tokens_is_a_gemm_of_rows_with_the_bias_that_was_added():
    constants = {"w": values((3, 4)), "b": np.float32([1, 2, 3, 4])}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"], "fc"),
        helper.make_node("Add", ["b", "p"], ["y"], "add"),
    ]
    model = graph_of(nodes, [1, 2, 3], constants)
    found = products_as_layers(model)
    assert kinds(found) == ["Reshape", "Gemm", "Reshape"]
    gemm = Graph(found).layers()[0]
    assert (gemm.name, gemm.input[1]) == ("fc", "w")
    np.testing.assert_array_equal(Graph(found).bias(gemm), [1, 2, 3, 4])
    image = np.float32([[[1, 0, 0], [0, 1, 2]]])
    # Row 0 is the first row of w and b; row 1 the second and twice the third.
    wanted = [[[0.0, 1.125, 2.25, 3.375], [0.5, 1.875, 3.25, 4.625]]]
    np.testing.assert_allclose(run(found, image)[0], wanted)
    np.testing.assert_allclose(run(model, image)[0], wanted)


def test_product_with_the_constant_on_the_left_is_a_convolution():
    constants = {"w": values((4, 3)), "b": values((4, 1))}
    nodes = [
        helper.make_node("MatMul", ["w", "x"], ["p"], "mix"),
        helper.make_node("Add", ["p", "b"], ["y"], "add"),
    ]
    model = graph_of(nodes, [1, 3, 5], constants)
    found = products_as_layers(model)
    assert kinds(found) == ["Reshape", "Conv", "Reshape"]
    image = values((1, 3, 5))
    np.testing.assert_allclose(run(found, image)[0], run(model, image)[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("bias", "shape"),
    [
        (values((1, 4, 1)), [1, 4, 3]),  # one value for each token
        (values((4, 4)), [1, 4, 3]),  # of every token its own
        (values((2, 1, 4)), [1, 4, 3]),  # makes two of one
    ],
)
def test_what_is_no_bias_is_added_behind_the_layer(bias, shape):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"], "fc"),
        helper.make_node("Add", ["p", "b"], ["y"], "add"),
    ]
    model = graph_of(nodes, shape, {"w": values((3, 4)), "b": bias})
    found = products_as_layers(model)
    assert kinds(found) == ["Reshape", "Gemm", "Reshape", "Add"]
    image = values(shape)
    np.testing.assert_allclose(run(found, image)[0], run(model, image)[0], rtol=1e-6)


def test_result_that_others_read_keeps_its_own_value():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"], "fc"),
        helper.make_node("Add", ["p", "b"], ["y"], "add"),
    ]
    model = graph_of(nodes, [2, 3], {"w": values((3, 4)), "b": values((4,))}, ("y", "p"))
    found = products_as_layers(model)
    assert kinds(found) == ["Gemm", "Add"]
    for one, other in zip(run(found, values((2, 3))), run(model, values((2, 3))), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_products_that_share_a_weight_share_it_still():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "one"),
        helper.make_node("MatMul", ["a", "w"], ["y"], "two"),
    ]
    found = products_as_layers(graph_of(nodes, [1, 2, 3], {"w": values((1, 3, 3))}))
    one, two = Graph(found).layers()
    assert one.input[1] == two.input[1]
    assert list(Graph(found).weights[one.input[1]].dims) == [3, 3]


@pytest.mark.parametrize("right", [True, False])
def test_product_of_any_number_of_tokens_is_a_layer(right):
    """A line of text has as many as it is wide."""
    weight = values((3, 4)) if right else values((4, 3))
    bias = values((4,)) if right else values((4, 1))
    nodes = [
        helper.make_node("MatMul", ["x", "w"] if right else ["w", "x"], ["p"], "fc"),
        helper.make_node("Add", ["p", "b"], ["y"], "add"),
    ]
    open_shape = [1, "n", 3] if right else [1, 3, "n"]
    model = graph_of(nodes, open_shape, {"w": weight, "b": bias})
    found = products_as_layers(model)
    assert kinds(found) == ["Reshape", "Gemm" if right else "Conv", "Reshape"]
    for tokens in (1, 5):
        image = values((1, tokens, 3) if right else (1, 3, tokens))
        (wanted,), (got,) = run(model, image), run(found, image)
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize("shape", [["n", "m", 3], [1, 2, "k"]])
def test_product_of_more_that_is_open_stays(shape):
    model = graph_of([helper.make_node("MatMul", ["x", "w"], ["y"])], shape, {"w": values((3, 4))})
    assert kinds(products_as_layers(model)) == ["MatMul"]


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("MatMul", ["x", "x"], ["y"])],
        [helper.make_node("MatMul", ["x", "v"], ["y"])],
        [helper.make_node("MatMul", ["x", "many"], ["y"])],
    ],
)
def test_products_that_are_no_layers_stay(nodes):
    constants = {"v": values((3,)), "many": values((2, 3, 3))}
    model = graph_of(nodes, [1, 3, 3], constants)
    found = products_as_layers(model)
    assert kinds(found) == ["MatMul"]


@settings(deadline=None)
@given(
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    outputs=st.integers(1, 5),
    right=st.booleans(),
    bias=st.booleans(),
    ones=st.integers(0, 2),
    seed=st.integers(0, 2**16),
)
def test_any_product_computes_what_it_did(shape, outputs, right, bias, ones, seed):
    random = np.random.default_rng(seed)
    inner = shape[-1] if right else shape[-2]
    matrix = (inner, outputs) if right else (outputs, inner)
    constants = {"w": random.normal(size=(*[1] * ones, *matrix)).astype(np.float32)}
    factors = ["x", "w"] if right else ["w", "x"]
    nodes = [helper.make_node("MatMul", factors, ["p"], "fc")]
    if bias:
        across = (outputs,) if right else (outputs, 1)
        constants["b"] = random.normal(size=across).astype(np.float32)
        nodes.append(helper.make_node("Add", ["p", "b"], ["y"]))
    model = graph_of(nodes, shape, constants, ("y" if bias else "p",))
    found = products_as_layers(model)
    onnx.checker.check_model(found)
    image = random.normal(size=shape).astype(np.float32)
    (wanted,), (given_back,) = run(model, image), run(found, image)
    assert given_back.shape == wanted.shape
    np.testing.assert_allclose(given_back, wanted, rtol=1e-4, atol=1e-5)
    if ones + 2 <= len(shape):
        assert len(Graph(found).layers()) == 1
