"""Channels between convolutions evened out: float computes the same, and rounding loses less."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph
from fqbench.quantize.equalizing import WHOLE, between, equalize
from fqbench.quantize.smoothing import (
    ChannelStatistics,
    channel_statistics,
    factors,
    rounding_error,
    usual,
)
from tests.support.onnx_graphs import Net


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    session = open_session(model.SerializeToString(), session_options(threads=1, exact=True))
    return session.run(None, {"x": image})[0]


def uneven(net: Net, layer: str) -> None:
    """Let channels of what ``layer`` writes be up to a thousand times as large as others."""
    node = next(node for node in net.nodes if node.name == layer)
    scales = np.geomspace(0.03, 30.0, len(net.weights[node.input[1]])).astype(np.float32)
    net.weights[node.input[1]] *= scales[:, None, None, None]
    net.weights[node.input[2]] *= scales


def of_layers(net: Net, activation: str | None, *, depthwise: bool) -> onnx.ModelProto:
    name = net.conv("x", 8)
    uneven(net, "n_conv0")
    if activation is not None:
        name = net.node(activation, name)
    return net.model(net.conv(name, 8, groups=8 if depthwise else 1), opset=14)


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from([None, "Relu", "LeakyRelu", "HardSwish"]), st.booleans(), st.integers(0, 2**16)
)
def test_float_computes_the_same(activation, depthwise, seed):
    net = Net(seed)
    model = of_layers(net, activation, depthwise=depthwise)
    found = equalize(model, [[net.image()] for _ in range(2)])
    onnx.checker.check_model(found)
    image = net.image()
    wanted = run(model, image)
    np.testing.assert_allclose(run(found, image), wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("activation", [None, "Relu"])
def test_channels_before_a_depthwise_layer_are_even_for_nothing(activation):
    net = Net(1)
    model = of_layers(net, activation, depthwise=True)
    feeds = [[net.image()]]
    tensor = "relu1" if activation else "conv0"
    found = equalize(model, feeds)
    assert [node.op_type for node in found.graph.node] == [
        node.op_type for node in model.graph.node
    ]
    before, after = (
        channel_statistics(each, {tensor: 1}, feeds)[tensor] for each in (model, found)
    )
    wide, even = (np.maximum(each.high, -each.low) for each in (before, after))
    assert wide.max() > 100 * wide.min()
    assert even.max() < 10 * even.min()


def test_behind_a_hard_swish_a_product_does_it():
    net = Net(2)
    found = equalize(of_layers(net, "HardSwish", depthwise=True), [[net.image()]])
    assert [node.op_type for node in found.graph.node] == ["Conv", "HardSwish", "Mul", "Conv"]


def test_even_channels_stay():
    net = Net(3)
    model = net.model(net.conv(net.node("Relu", net.conv("x", 8)), 8, groups=8))
    scale = np.abs(run(net.model("relu1"), image := net.image())).max(axis=(0, 2, 3))
    net.weights["w0"] /= scale[:, None, None, None]
    net.weights["b0"] /= scale
    model = net.model(net.conv("relu1", 8, groups=8))
    assert equalize(model, [[image]]) is model


def read_by_another(net: Net) -> list[str]:
    first = net.node("Relu", net.conv("x", 8))
    return [net.conv(first, 8), net.node("Sigmoid", first)]


def handed_out(net: Net) -> list[str]:
    first = net.node("Relu", net.conv("x", 8))
    return [net.conv(first, 8), first]


def read_before_the_activation(net: Net) -> list[str]:
    first = net.conv("x", 8)
    return [net.conv(net.node("Relu", first), 8), net.node("Sigmoid", first)]


def behind_a_limit(net: Net) -> list[str]:
    return [net.conv(net.clip(net.conv("x", 8)), 8)]


def behind_a_sum(net: Net) -> list[str]:
    return [net.conv(net.node("Add", net.conv("x", 8), net.conv("x", 8)), 8)]


def the_image(net: Net) -> list[str]:
    return [net.conv("x", 8)]


@pytest.mark.parametrize(
    "write",
    [
        read_by_another,
        handed_out,
        read_before_the_activation,
        behind_a_limit,
        behind_a_sum,
        the_image,
    ],
)
def test_what_something_else_needs_as_it_is_stays(write):
    net = Net(4)
    assert between(Graph(net.model(*write(net)))) == []


def test_rounding_error_by_hand():
    # Steps: of activations 4 / 255; of the depthwise weights 2 / 127 and 1 / 127, at one place.
    seen = ChannelStatistics.seen(np.float32([[1, 4], [0, 2]]))
    weight = np.array([2.0, 1.0]).reshape(2, 1, 1, 1)
    of_activations = (4 / 255) ** 2 * (4 + 1)
    of_weights = (2 / 127) ** 2 * (1 / 2) + (1 / 127) ** 2 * (20 / 2)
    found = rounding_error([weight], seen, np.ones(2))
    assert found == pytest.approx((of_activations + of_weights) / 12)
    # Divided by as much as they reach: a step of 1 / 255, weights 2 and 4; their own error stays.
    even = rounding_error([weight], seen, np.array([1.0, 4.0]))
    of_activations = (1 / 255) ** 2 * (4 + 16)
    assert even == pytest.approx((of_activations + of_weights) / 12)


def test_depthwise_layers_take_each_channel_by_what_it_reaches():
    seen = ChannelStatistics.seen(np.float32([[1, 4], [0, 2]]))
    by = factors([np.ones((2, 1, 1, 9))], seen, WHOLE)
    assert by[1] / by[0] == pytest.approx(4.0)


def test_an_image_that_stands_out_tells_nothing_of_channels():
    images = [ChannelStatistics.seen(np.float32([[1, 2]])) for _ in range(8)]
    wild = ChannelStatistics.seen(np.float32([[500, 2]]))
    found = usual([*images, wild])
    assert found.high.tolist() == [1, 2]
    assert found.rows == 8
