"""ONNX models as TensorRT's networks: what is taken, and how what is not is refused.

What needs the library is tried with TensorRT for RTX, whose parser is TensorRT's.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fqbench.backends.onnxruntime.lower import lower
from fqbench.backends.tensorrt.library import TENSORRT, TENSORRT_RTX
from fqbench.backends.tensorrt.log import SHOWN, last_errors, listener, short
from fqbench.backends.tensorrt.lower import lower as lower_tensorrt
from fqbench.backends.tensorrt.network import _foreign_codes, layer_names, parse, refuse
from fqbench.errors import StepError
from tests.support.onnx_graphs import Net, record

rtx = pytest.mark.skipif(TENSORRT_RTX.missing() is not None, reason=str(TENSORRT_RTX.missing()))


def pair(kind, zero_point, *, outputs=("y",), name="n"):
    """A graph of one QuantizeLinear or DequantizeLinear; ``zero_point``: an array, or None."""
    constants = {"s": np.float32(0.1)}
    if zero_point is not None:
        constants["z"] = zero_point
    node = helper.make_node(kind, ["x", *constants], list(outputs), name)
    graph = helper.make_graph(
        [node],
        "pair",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info(outputs[0], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def refused(model, library=TENSORRT):
    with pytest.raises(StepError) as caught:
        refuse(library, model.SerializeToString())
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "zero_point", "reason"),
    [
        ("DequantizeLinear", np.int32(0), "has int32 codes, and TensorRT takes biases in float"),
        ("DequantizeLinear", np.uint8(0), "has uint8 codes, and TensorRT has int8 codes only"),
        ("QuantizeLinear", np.uint8(3), "has uint8 codes, and TensorRT has int8 codes only"),
        # Without a zero point QuantizeLinear writes uint8.
        ("QuantizeLinear", None, "has uint8 codes, and TensorRT has int8 codes only"),
        (
            "QuantizeLinear",
            np.int8(3),
            "has a zero point that is not 0, where TensorRT's codes are symmetric",
        ),
    ],
)
def test_codes_that_tensorrt_has_not_are_refused_by_the_operator(kind, zero_point, reason):
    found = refused(pair(kind, zero_point, name="conv1__bias__dq"))
    assert found == f"{kind} 'conv1__bias__dq' {reason}: lower the model for tensorrt"


@pytest.mark.parametrize("zero_point", [np.int8(0), np.zeros(3, np.int8)])
def test_symmetric_int8_codes_are_taken(zero_point):
    assert list(_foreign_codes(pair("QuantizeLinear", zero_point).graph)) == []


def test_zero_point_of_a_constant_node_is_looked_at_too():
    model = pair("QuantizeLinear", None)
    zero = numpy_helper.from_array(np.int8(7), "")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["z"], value=zero))
    model.graph.node[1].input.append("z")
    assert "has a zero point that is not 0" in refused(model)


def test_node_without_a_name_is_called_by_what_it_writes():
    model = pair("QuantizeLinear", None, outputs=("codes",), name="")
    assert refused(model).startswith("QuantizeLinear 'codes' ")


def test_others_alike_are_counted():
    net = Net()
    out = net.conv(net.node("Relu", net.conv("x", 8)), 4)
    model = net.model(out)
    lowered = lower(model, record(model, net.image()))
    wrong = sum(node.op_type.endswith("eLinear") for node in lowered.graph.node)
    weights = sum(node.name.endswith("__weight__dq") for node in lowered.graph.node)
    message = refused(lowered)
    assert message.startswith("QuantizeLinear 'x__q' has uint8 codes")
    assert message.endswith(f"({wrong - weights - 1} more nodes of it are alike)")


def test_what_is_no_onnx_model_is_said_to_be_none():
    with pytest.raises(StepError, match=r"^TensorRT is given what is no ONNX model: "):
        refuse(TENSORRT, b"\xff\x00 nothing of the kind")


@given(st.text(max_size=5000))
def test_names_of_strangers_are_bounded_and_printable(text):
    model = pair("QuantizeLinear", np.uint8(0), name="n")
    model.graph.node[0].name = text or "n"
    message = refused(model)
    assert message.isprintable()
    assert len(message) < 300


@given(st.text(max_size=2000), st.integers(1, 400))
def test_short_is_one_printable_line(text, limit):
    found = short(text, limit)
    assert len(found) <= limit
    assert found == "" or found.isprintable()
    if len(text) <= limit and text.isprintable():
        assert found == " ".join(text.split())


def test_last_errors_are_the_last_two():
    assert last_errors([]) == "it said nothing"
    assert last_errors(["one", "two", "three\nfour"]) == "two; three four"
    assert len(last_errors(["x" * 999] * 9)) <= SHOWN + len("; ")


def parsed(model):
    module = TENSORRT_RTX.load()
    log = listener(module)
    builder = module.Builder(log)
    return parse(module, TENSORRT_RTX, builder, log, model.SerializeToString())


@rtx
def test_float_network_has_all_its_layers():
    net = Net()
    model = net.model(net.node("Relu", net.conv("x", 8)))
    network = parsed(model)
    names = [network.get_layer(i).name for i in range(network.num_layers)]
    assert set(layer_names(model.graph)) <= set(names)
    assert network.num_inputs == network.num_outputs == 1


@rtx
def test_layers_without_a_name_are_called_as_the_parser_calls_them():
    net = Net()
    model = net.model(net.conv("x", 8))
    model.graph.node[0].name = ""
    network = parsed(model)
    names = [network.get_layer(i).name for i in range(network.num_layers)]
    assert layer_names(model.graph) == ["node_of_conv0"]
    assert "node_of_conv0" in names


@rtx
def test_model_lowered_for_tensorrt_is_taken():
    net = Net()
    model = net.model(net.conv(net.node("Relu", net.conv("x", 8)), 4))
    network = parsed(lower_tensorrt(model, record(model, net.image())))
    kinds = [str(network.get_layer(i).type) for i in range(network.num_layers)]
    assert sum(kind.endswith(".CONVOLUTION") for kind in kinds) == 2
    assert sum(kind.endswith(".QUANTIZE") for kind in kinds) == 1
    assert sum(kind.endswith(".DEQUANTIZE") for kind in kinds) == 2


@rtx
def test_operator_that_the_parser_does_not_take_is_refused_by_its_name():
    net = Net()
    model = net.model(net.conv("x", 8))
    node = helper.make_node("Sharpen", ["conv0"], ["sharp"], "edges", domain="com.example")
    model.graph.node.append(node)
    model.graph.output[0].name = "sharp"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(StepError) as caught:
        parsed(model)
    message = str(caught.value)
    assert message.startswith("Sharpen 'edges' is not taken by TensorRT for RTX (")
    assert message.endswith("run the model on another backend, or write it without this operator")
    assert message.isprintable()


@rtx
def test_wrong_use_of_an_operator_is_refused_by_its_name():
    net = Net()
    model = net.model(net.node("Relu", net.conv("x", 8)))
    model.graph.node[0].input[0] = "nowhere"
    with pytest.raises(StepError, match=r"Conv 'n_conv0' is not taken by TensorRT for RTX"):
        parsed(model)
