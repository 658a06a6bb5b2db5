"""What an index or an order depends on, and that no runtime's form rounds it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from fqbench.backends.onnxruntime.lower import lower as for_onnxruntime
from fqbench.backends.openvino.lower import lower as for_openvino
from fqbench.backends.tensorrt.lower import lower as for_tensorrt
from fqbench.graph.graph import Graph
from fqbench.graph.ordering import ordering, unordered
from fqbench.quantize.calibrate import calibrate
from fqbench.verify.conversion import graph_runner
from tests.support.best_rows import best_rows
from tests.support.onnx_graphs import Net, record

PLACES = 16 * 16


def chooses(kernel: int, *, shared: bool = False) -> tuple[Net, onnx.ModelProto]:
    """The eight places that score best, and a layer that reads what is there.

    ``shared``: whether another layer reads the scores, too.
    """
    net = Net()
    features = net.node("Relu", net.conv("x", 16))
    scores = net.conv(features, 16, kernel)
    rows = net.node("Reshape", scores, net.constant("rows", np.array([16, PLACES])), channels=16)
    best = net.node("ReduceMax", rows, axes=[0], keepdims=0)
    eight = net.constant("eight", np.array([8]))
    net.nodes.append(onnx.helper.make_node("TopK", [best, eight], ["values", "places"], "n_topk"))
    seen = net.node("Reshape", features, net.constant("flat", np.array([16, PLACES])))
    taken = net.node("Gather", seen, "places", axis=1)
    turned = net.node("Transpose", taken, perm=[1, 0], channels=16)
    outputs = [net.gemm(turned, 5)]
    if shared:
        outputs.append(net.conv(net.node("Relu", net.conv(scores, 16)), 16))
    return net, net.model(*outputs)


def test_it_begins_with_the_layers_whose_results_are_ordered():
    _, model = chooses(1)
    assert ordering(Graph(model)) == {"n_conv2", "n_reshape3", "n_reducemax4", "n_topk"}


def test_a_graph_without_an_order_has_none():
    net = Net()
    assert ordering(Graph(net.model(net.conv(net.node("Relu", net.conv("x", 8)), 8)))) == set()


@pytest.mark.parametrize("lower", [for_onnxruntime, for_openvino, for_tensorrt])
@pytest.mark.parametrize(("kernel", "shared"), [(1, False), (3, False), (1, True), (3, True)])
def test_no_rounded_value_is_ordered(lower, kernel, shared):
    net, model = chooses(kernel, shared=shared)
    lowered = lower(model, record(model, net.image()))
    graph = Graph(lowered)
    names = ordering(graph)
    kinds = {node.op_type for node in lowered.graph.node if node.name in names}
    assert "TopK" in kinds
    assert kinds & {"Conv", "Gemm"}
    assert not kinds & {"QuantizeLinear", "DequantizeLinear"}
    # Something is in integers all the same.
    assert any(node.op_type == "QuantizeLinear" for node in lowered.graph.node)


def test_what_is_put_in_order_at_the_end_is_judged_before():
    net, model = best_rows()
    before = unordered(model)
    assert [value.name for value in before.graph.output] == ["columns"]
    assert "TopK" not in {node.op_type for node in before.graph.node}
    image = net.image()
    (rows,) = graph_runner(model, optimized=True)([image])
    (columns,) = graph_runner(before, optimized=True)([image])
    assert columns.shape == (1, 14, 256)
    assert rows[0, 0, 4] == columns[0, 4:].max()


def test_outputs_beside_what_is_put_in_order_stay():
    net, _ = best_rows()
    both = unordered(net.model("rows", "columns", "best"))
    assert [value.name for value in both.graph.output] == ["columns"]
    other = net.node("Relu", "columns", channels=14)
    kept = unordered(net.model(other, "rows"))
    assert [value.name for value in kept.graph.output] == [other, "columns"]


@pytest.mark.parametrize("shared", [False, True])
def test_what_layers_compute_of_chosen_rows_is_judged_itself(shared):
    _, model = chooses(1, shared=shared)
    assert unordered(model) is model


def test_a_graph_that_puts_nothing_in_order_is_judged_itself():
    net = Net()
    best = net.node("ArgMax", net.conv(net.node("Relu", net.conv("x", 8)), 8), axis=1)
    model = net.model(net.node("Cast", best, to=onnx.TensorProto.FLOAT))
    assert unordered(model) is model


@pytest.fixture(scope="module")
def calibrated():
    net, model = best_rows()
    return model, calibrate(model, [[net.image()]], "abs_max", ())


@pytest.mark.parametrize("lower", [for_onnxruntime, for_openvino, for_tensorrt])
def test_rows_are_put_in_order_by_floats(lower, calibrated):
    lowered = lower(*calibrated)
    graph = Graph(lowered)
    names = ordering(graph)
    kinds = {node.op_type for node in lowered.graph.node if node.name in names}
    assert {"TopK", "Sigmoid"} <= kinds
    assert kinds & {"Conv", "Gemm"}
    assert not kinds & {"QuantizeLinear", "DequantizeLinear"}
    assert any(node.op_type == "QuantizeLinear" for node in lowered.graph.node)
