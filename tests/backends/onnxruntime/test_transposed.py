"""Transposed convolutions of each channel by itself, as convolutions of the smaller image."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fqbench.backends.onnxruntime.lower import layer_counts, lower
from fqbench.backends.onnxruntime.rewrite import is_surrogate_conv, rewrite
from fqbench.backends.onnxruntime.transposed import phases
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph
from fqbench.quantize.calibrate import calibrate

RNG = np.random.default_rng(7)


def enlarging(channels=3, size=(4, 5), kernel=4, stride=2, pad=1, relu=True, group=None, **more):
    """Convolution, transposed convolution, Relu, convolution."""
    group = channels if group is None else group
    ends = [(n - 1) * stride + kernel - 2 * pad for n in size]
    weights = {
        "first": RNG.normal(size=(channels, 2, 3, 3)) / 4,
        "w": RNG.normal(size=(channels, channels // group, kernel, kernel)) / 2,
        "b": RNG.normal(size=channels) / 4,
        "last": RNG.normal(size=(4, channels, 1, 1)),
    }
    form = {"strides": [stride] * 2, "pads": [pad] * 4, "group": group, **more}
    behind = "r" if relu else "t"
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["f"], "c0", pads=[1] * 4, kernel_shape=[3, 3]),
        helper.make_node("Relu", ["f"], ["a"], "relu0"),
        helper.make_node("ConvTranspose", ["a", "w", "b"], ["t"], "up", **form),
        *([helper.make_node("Relu", ["t"], ["r"], "relu1")] if relu else []),
        helper.make_node("Conv", [behind, "last"], ["l"], "c1", kernel_shape=[1, 1]),
        helper.make_node("Relu", ["l"], ["z"], "relu2"),
    ]
    graph = helper.make_graph(
        nodes,
        "enlarging",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, *size])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 4, *ends])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def run(model, image):
    session = open_session(model.SerializeToString(), session_options(threads=1, exact=True))
    return session.run(None, {"x": image})[0]


def written(model):
    return rewrite(model, {node.name for node in model.graph.node})


def test_a_line_of_four_taps_by_hand():
    """Rows 2 i are w1 x[i] + w3 x[i - 1], rows 2 i + 1 are w0 x[i + 1] + w2 x[i]."""
    weight = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 4, 1)
    found, pads = phases(weight, [2, 1], [1, 0])
    assert pads == [1, 0, 1, 0]
    np.testing.assert_array_equal(found.reshape(2, 3), [[4, 2, 0], [0, 3, 1]])


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([(2, 2, 0), (4, 2, 1), (3, 3, 0), (6, 2, 2), (5, 3, 1)]), st.booleans())
def test_it_computes_the_same(form, relu):
    kernel, stride, pad = form
    model = enlarging(kernel=kernel, stride=stride, pad=pad, relu=relu)
    image = RNG.normal(size=(1, 2, 4, 5)).astype(np.float32)
    result = written(model)
    assert "ConvTranspose" not in {node.op_type for node in result.graph.node}
    np.testing.assert_allclose(run(result, image), run(model, image), atol=1e-5)


@pytest.mark.parametrize(
    "form",
    [
        {"kernel": 3},
        {"group": 1},
        {"stride": 1, "kernel": 3},
        {"kernel": 3, "output_padding": [1, 1], "dilations": [1, 1]},
    ],
)
def test_others_stay(form):
    model = enlarging(**form)
    assert "ConvTranspose" in {node.op_type for node in written(model).graph.node}


def test_in_integers_it_is_near_float_and_counts_as_no_layer():
    model = enlarging(channels=8, size=(8, 6))
    images = [RNG.normal(size=(1, 2, 8, 6)).astype(np.float32) for _ in range(8)]
    record = calibrate(model, [(image,) for image in images], "search")
    lowered = lower(model, record)
    graph = Graph(lowered)
    (stand_in,) = (n for n in lowered.graph.node if n.name == "up")
    assert stand_in.op_type == "Conv"
    assert graph.producer[stand_in.input[0]].op_type == "DequantizeLinear"
    assert layer_counts(lowered) == (2, 2)
    assert not any(map(is_surrogate_conv, graph.layers()))
    wanted, found = run(model, images[0]), run(lowered, images[0])
    assert np.abs(found - wanted).mean() < 0.02 * np.abs(wanted).mean()
