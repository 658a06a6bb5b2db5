"""Which operators run in integers on ONNX Runtime: small graphs, each with what must come out."""

import pytest

from fqbench.backends.onnxruntime.plan import is_product, make_plan
from fqbench.backends.onnxruntime.ranges import activation_affines
from fqbench.graph.graph import Graph
from fqbench.quantize.affine import Affine
from tests.support.onnx_graphs import Net, record


def planned(net, *outputs, unknown=(), float_layers=()):
    model = net.model(*outputs)
    graph = Graph(model)
    quantization = record(model, net.image(), unknown=unknown)
    affines = activation_affines(graph, quantization.ranges)
    return make_plan(graph, affines, set(float_layers))


def test_convolutions_read_and_write_integers_and_a_product_at_the_end_is_a_head():
    net = Net()
    middle = net.node("Relu", net.conv("x", 8))
    plan = planned(net, net.conv(middle, 5, 1))
    assert plan.convolutions == {"n_conv0"}
    assert plan.heads == {"n_conv2"}
    assert plan.others == frozenset()
    assert plan.tensors == {"x", "relu1"}
    assert plan.integers == {"n_conv0", "n_conv2"}


def test_last_convolution_that_is_no_product_stays_in_float():
    net = Net()
    plan = planned(net, net.conv(net.node("Relu", net.conv("x", 8)), 5, 3))
    assert (plan.convolutions, plan.heads) == ({"n_conv0"}, frozenset())


def test_fully_connected_layers_read_integers_wherever_they_are():
    net = Net(shape=(2, 3))
    first = net.node("Relu", net.gemm("x", 8))
    last = net.gemm(net.gemm(first, 4), 5)
    plan = planned(net, last)
    assert plan.heads == {"n_gemm0", "n_gemm2", "n_gemm3"}
    assert plan.convolutions == plan.others == frozenset()
    # What they write is float: nothing is rounded that no layer reads.
    assert plan.tensors == {"x", "relu1", "gemm2"}
    kept = planned(net, last, float_layers=["n_gemm2"])
    assert kept.heads == {"n_gemm0", "n_gemm3"}
    assert kept.tensors == {"x", "gemm2"}


def test_what_moves_codes_to_a_fully_connected_layer_runs_in_integers():
    net = Net()
    conv = net.node("Relu", net.conv("x", 8))
    plan = planned(net, net.gemm(net.node("Flatten", conv, channels=8 * 16 * 16), 5))
    assert (plan.heads, plan.others) == ({"n_gemm3"}, {"n_flatten2"})


def test_head_alone_does_not_pay_for_a_pair():
    net = Net()
    plan = planned(net, net.conv("x", 5, 1))
    assert plan.integers == plan.tensors == frozenset()


@pytest.mark.parametrize("kept", ["n_conv0", "n_conv2"])
def test_float_layer_is_not_planned(kept):
    net = Net()
    middle = net.node("Relu", net.conv("x", 8))
    last = net.node("Relu", net.conv(middle, 8))
    plan = planned(net, last, float_layers=[kept])
    assert plan.integers == {"n_conv0", "n_conv2"} - {kept}


def test_head_whose_input_a_float_layer_writes_stays_in_float():
    net = Net()
    middle = net.node("Relu", net.conv(net.node("Relu", net.conv("x", 8)), 8))
    plan = planned(net, net.conv(middle, 5, 1), float_layers=["n_conv2"])
    assert plan.integers == {"n_conv0"}


def test_layer_without_a_range_before_or_behind_it_is_not_planned():
    net = Net()
    middle = net.node("Relu", net.conv("x", 8))
    last = net.node("Relu", net.conv(middle, 8))
    assert planned(net, last, unknown=["relu1"]).integers == frozenset()
    assert planned(net, last, unknown=["relu3"]).integers == {"n_conv0"}
    assert planned(net, last, unknown=["conv0", "conv2"]).integers == {"n_conv0", "n_conv2"}


@pytest.mark.parametrize(
    "write",
    [
        lambda net, a: net.silu(a),
        lambda net, a: net.node("Add", a, net.node("Sigmoid", a)),
        lambda net, a: net.concat(a, net.node("LeakyRelu", a)),
        lambda net, a: net.node("MaxPool", a, kernel_shape=[2, 2]),
        lambda net, a: net.average(a),
        lambda net, a: net.concat(*net.split(a)),
        lambda net, a: net.shuffle(a, 16),
        lambda net, a: net.resize(a),
        lambda net, a: net.node("GlobalAveragePool", a),
    ],
)
def test_what_lies_between_layers_in_integers_runs_so_too(write):
    net = Net()
    first = net.conv("x", 8)
    last = net.node("Relu", net.conv(write(net, first), 8))
    between = {node.name for node in net.nodes[1:-2]}
    plan = planned(net, last)
    assert plan.others == between
    assert len(plan.convolutions) == 2


@pytest.mark.parametrize(
    "write",
    [
        lambda net, a: net.silu(a),
        lambda net, a: net.node("MaxPool", a, kernel_shape=[2, 2]),
        lambda net, a: net.concat(*net.split(a)),
        lambda net, a: net.silu(net.shuffle(a, 16)),
    ],
)
def test_pair_for_nothing_is_dropped(write):
    net = Net()
    first = net.node("Relu", net.conv("x", 8))
    plan = planned(net, write(net, first))
    assert plan.integers == {"n_conv0"}
    assert plan.tensors == {"x", "relu1"}


def test_of_a_chain_behind_the_last_layer_all_is_dropped_and_of_two_branches_only_one():
    net = Net()
    first = net.node("Relu", net.conv("x", 8))
    read = net.node("MaxPool", first, kernel_shape=[2, 2])
    unread = net.average(net.node("LeakyRelu", read))
    last = net.node("Relu", net.conv(read, 8))
    plan = planned(net, last, unread)
    assert plan.others == {"n_maxpool2"}
    assert plan.tensors == {"x", "relu1", "maxpool2", "relu6"}


def test_operator_whose_other_input_is_float_stays_in_float():
    net = Net()
    first, kept = net.conv("x", 8), net.conv("x", 8)
    joined = net.node("Add", first, kept)
    plan = planned(net, net.node("Relu", net.conv(joined, 8)), float_layers=["n_conv1"])
    assert plan.others == frozenset()
    # The last convolution reads integers all the same, by a pair of its own.
    assert plan.convolutions == {"n_conv0", "n_conv3"}
    assert "add2" in plan.tensors


def test_sum_writes_what_its_relu_does():
    net = Net()
    first, second = net.conv("x", 8), net.conv("x", 8)
    summed = net.node("Relu", net.node("Add", first, second))
    plan = planned(net, net.node("Relu", net.conv(summed, 8)))
    assert plan.others == {"n_add2"}
    assert plan.tensors == {"x", "conv0", "conv1", "relu3", "relu5"}


def test_operator_without_an_integer_kernel_stays_in_float():
    net = Net()
    first = net.conv("x", 8)
    plan = planned(net, net.node("Relu", net.conv(net.node("Relu", net.silu(first)), 8)))
    # Nothing in integers reads the SiLU; the second layer rounds its input itself.
    assert plan.others == frozenset()
    assert plan.tensors == {"x", "conv0", "relu3", "relu5"}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, True),
        ({"pads": [0, 0, 1, 0]}, False),
        ({"strides": [2, 2]}, False),
        ({"size": 3}, False),
    ],
)
def test_matrix_product(changes, wanted):
    net = Net(shape=(1, 3, 8, 8))
    graph = Graph(net.model(net.conv("x", 5, **{"size": 1, **changes})))
    assert is_product(graph, graph.layers()[0]) is wanted


def test_convolution_of_groups_is_no_product():
    net = Net(shape=(1, 4, 8, 8))
    graph = Graph(net.model(net.conv("x", 4, 1, groups=4)))
    assert not is_product(graph, graph.layers()[0])


def test_plan_of_a_graph_without_ranges_is_empty():
    net = Net()
    graph = Graph(net.model(net.node("Relu", net.conv("x", 8))))
    plan = make_plan(graph, {}, ())
    assert plan.integers == plan.tensors == frozenset()
    alone = make_plan(graph, {"x": Affine(1.0, 0)}, ())
    assert alone.integers == frozenset()
