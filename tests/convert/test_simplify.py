"""Operators in their plain form compute what they computed before."""

import numpy as np
import onnx
import pytest

from fqbench.convert.canonical import canonicalize
from fqbench.convert.simplify import simplify
from fqbench.graph.executor import open_session, session_options
from tests.support.onnx_graphs import Net


def kinds(model):
    return [node.op_type for node in model.graph.node]


def run(model, image):
    session = open_session(model.SerializeToString(), session_options(threads=1))
    return session.run(None, {"x": image})


def rewritten(net, *outputs, opset=13):
    """What ``plain`` makes of a graph, after it has been seen to compute the same."""
    model, image = net.model(*outputs, opset=opset), net.image()
    before = model.SerializeToString(deterministic=True)
    result, changed = simplify(model)
    assert model.SerializeToString(deterministic=True) == before
    onnx.checker.check_model(result)
    for wanted, found in zip(run(model, image), run(result, image), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert [v.name for v in result.graph.output] == list(outputs)
    assert changed is (kinds(result) != kinds(model))
    return kinds(result)


def reshape(net, source, *shape):
    name = f"{source}_shape{len(net.nodes)}"
    return net.node("Reshape", source, net.constant(name, np.array(shape)))


@pytest.mark.parametrize("shape", [(1, 4, 16, 16), (0, 4, -1, 16), (1, 4, 16, -1)])
def test_reshape_to_the_same_shape_goes(shape):
    net = Net()
    same = reshape(net, net.conv("x", 4), *shape)
    assert rewritten(net, net.node("Relu", same)) == ["Conv", "Relu"]


def test_flatten_of_what_is_flat_goes():
    net = Net(shape=(1, 12))
    flat = net.node("Flatten", net.node("Flatten", "x"))
    assert rewritten(net, net.node("Relu", flat)) == ["Relu"]


def test_chain_of_them_goes_and_every_reader_reads_what_stood_before():
    net = Net()
    source = net.conv("x", 4)
    same = reshape(net, reshape(net, source, 1, 4, 16, 16), 1, 4, 16, 16)
    assert rewritten(net, net.node("Add", same, net.node("Relu", same)), source) == [
        "Conv",
        "Relu",
        "Add",
    ]


def test_reshape_that_writes_an_output_stays():
    net = Net()
    assert rewritten(net, reshape(net, net.conv("x", 4), 1, 4, 16, 16)) == ["Conv", "Reshape"]


@pytest.mark.parametrize("shape", [(1, 4, 256), (1, 2, 2, 16, 16), (1, 16, 4, 16)])
def test_reshape_to_another_shape_stays(shape):
    net = Net()
    other = reshape(net, net.conv("x", 4), *shape)
    assert rewritten(net, net.node("Relu", other)) == ["Conv", "Reshape", "Relu"]


def test_flatten_of_an_image_stays():
    net = Net()
    assert rewritten(net, net.node("Relu", net.node("Flatten", "x"))) == ["Flatten", "Relu"]


def test_reshape_of_a_tensor_of_free_size_stays():
    net = Net()
    same = reshape(net, net.node("Relu", "x"), -1, 3, 16, 16)
    model = net.model(net.node("Relu", same), free_batch=True)
    result, changed = simplify(model)
    assert not changed
    assert kinds(result) == ["Relu", "Reshape", "Relu"]


@pytest.mark.parametrize("axes", [[2, 3], [3, 2], [-2, -1], [-1, 2]])
@pytest.mark.parametrize("opset", [13, 18])
def test_mean_of_an_image_becomes_a_pooling(axes, opset):
    net = Net()
    last = mean(net, net.node("Relu", "x"), axes, opset)
    assert rewritten(net, last, opset=opset) == ["Relu", "GlobalAveragePool"]


def mean(net, source, axes, opset=13, **attributes):
    if opset < 18:
        return net.node("ReduceMean", source, axes=axes, **attributes)
    return net.node("ReduceMean", source, net.constant("axes", np.array(axes)), **attributes)


@pytest.mark.parametrize(
    ("axes", "attributes"),
    [
        ([2, 3], {"keepdims": 0}),
        ([1], {}),
        ([2], {}),
        ([1, 2, 3], {}),
        ([0, 2, 3], {}),
    ],
)
def test_other_mean_stays(axes, attributes):
    net = Net()
    assert rewritten(net, mean(net, "x", axes, **attributes)) == ["ReduceMean"]


def test_mean_of_all_axes_stays():
    net = Net()
    assert rewritten(net, net.node("ReduceMean", "x")) == ["ReduceMean"]


def test_mean_of_other_ranks_stays():
    net = Net(shape=(2, 3, 4, 5, 6))
    assert rewritten(net, mean(net, "x", [2, 3])) == ["ReduceMean"]
    net = Net(shape=(4, 5, 6))
    assert rewritten(net, mean(net, "x", [1, 2])) == ["ReduceMean"]


def test_mean_whose_axes_are_computed_stays():
    net = Net()
    parts = [net.constant(name, np.array([1, k])) for name, k in (("a", 1), ("b", 2))]
    axes = net.node("Add", *parts, channels=3)
    result, changed = simplify(net.model(net.node("ReduceMean", "x", axes), opset=18))
    assert kinds(result) == ["Add", "ReduceMean"]
    assert not changed


def test_canonical_graph_is_plain():
    net = Net()
    pooled = mean(net, net.node("Relu", net.conv("x", 8)), [2, 3])
    same = reshape(net, pooled, 1, 8, 1, 1)
    model = net.model(net.conv(net.node("Mul", net.node("Sigmoid", same), same), 4, 1))
    canonical = canonicalize(model, net.shape)
    assert set(kinds(canonical)) == {"Conv", "Relu", "GlobalAveragePool", "Sigmoid", "Mul"}
    image = net.image()
    np.testing.assert_allclose(run(canonical, image)[0], run(model, image)[0], atol=1e-5)


def test_two_shapes_that_nothing_tells_are_not_the_same():
    inputs = [
        onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["a", "b", "c"]),
        onnx.helper.make_tensor_value_info("sizes", onnx.TensorProto.INT64, ["k"]),
    ]
    nodes = [
        onnx.helper.make_node("Squeeze", ["x"], ["squeezed"]),
        onnx.helper.make_node("Reshape", ["squeezed", "sizes"], ["rows"]),
        onnx.helper.make_node("Relu", ["rows"], ["y"]),
    ]
    outputs = [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)]
    graph = onnx.helper.make_graph(nodes, "net", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    found, changed = simplify(model)
    assert not changed
    assert [node.op_type for node in found.graph.node] == ["Squeeze", "Reshape", "Relu"]
