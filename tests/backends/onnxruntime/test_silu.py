"""SiLU as one float operator: the same function, where it can be one."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.backends.onnxruntime.silu import DOMAIN, KIND, float_silus
from fqbench.graph.executor import open_session, session_options
from tests.support.onnx_graphs import Net


def everything(model):
    return {node.name for node in model.graph.node}


def run(model, image):
    return open_session(model.SerializeToString(), session_options(1, exact=True)).run(
        None, {"x": image}
    )


def kinds(model):
    return [node.op_type for node in model.graph.node]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 5), st.tuples(st.integers(1, 6), st.integers(1, 6)), st.integers(0, 2**16))
def test_chain_of_silus_computes_the_same(channels, size, seed):
    net = Net(seed, (1, channels, *size))
    last = net.conv(net.silu(net.silu(net.conv("x", 4, 1))), 3, 1)
    model, image = net.model(last), net.image()
    written = float_silus(model, everything(model))
    onnx.checker.check_model(written)
    onnx.shape_inference.infer_shapes(written, strict_mode=True)
    assert kinds(written).count(KIND) == 2
    assert "Sigmoid" not in kinds(written)
    np.testing.assert_allclose(run(written, image)[0], run(model, image)[0], atol=1e-5)


def test_names_stay_and_shapes_are_told():
    net = Net()
    silu = net.silu(net.conv("x", 5))
    model = net.model(net.conv(silu, 3))
    written = float_silus(model, everything(model))
    (operator,) = [node for node in written.graph.node if node.op_type == KIND]
    assert (operator.name, operator.output[0]) == (model.graph.node[2].name, silu)
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in onnx.shape_inference.infer_shapes(written).graph.value_info
    }
    (reader,) = [node for node in written.graph.node if node.name == "n_conv3"]
    assert shapes[reader.input[0]] == [1, 5, 16, 16]
    assert [o.domain for o in written.opset_import].count(DOMAIN) == 1


def untouched(model, integers=None):
    return float_silus(model, everything(model) if integers is None else integers) == model


@pytest.mark.parametrize("left_out", ["n_sigmoid1", "n_mul2"])
def test_silu_that_runs_in_float_anyway_stays(left_out):
    net = Net()
    model = net.model(net.conv(net.silu(net.conv("x", 4)), 3))
    assert untouched(model, everything(model) - {left_out})


def test_silu_that_is_an_output_stays():
    net = Net()
    assert untouched(net.model(net.silu(net.conv("x", 4))))


def test_sigmoid_that_others_read_too_stays():
    net = Net()
    source = net.conv("x", 4)
    gate = net.node("Sigmoid", source)
    model = net.model(net.node("Add", net.conv(net.node("Mul", source, gate), 4), gate))
    assert untouched(model)


def test_product_with_the_sigmoid_of_another_tensor_stays():
    net = Net()
    source = net.conv("x", 4)
    gate = net.node("Sigmoid", net.conv("x", 4))
    assert untouched(net.model(net.conv(net.node("Mul", source, gate), 4)))


def test_silu_of_rows_stays():
    net = Net(shape=(1, 4, 1, 1))
    flat = net.gemm(net.node("Flatten", "x"), 6)
    assert untouched(net.model(net.gemm(net.silu(flat), 5)))
