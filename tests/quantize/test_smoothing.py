"""Evening out channels: float computes the same, and rounding loses less."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from fqbench.backends.openvino.tokens import token_layers
from fqbench.convert.canonical import canonicalize
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph
from fqbench.quantize.smoothing import (
    ChannelStatistics,
    factors,
    of_rows,
    rounding_error,
    smooth,
    uneven,
)
from tests.support.onnx_graphs import Net
from tests.support.transformers import Transformer


def seen(*rows):
    found = ChannelStatistics.of(len(rows[0]))
    found.add(np.float32(rows))
    return found


def run(model, feed, names):
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = open_session(shown.SerializeToString(), session_options(threads=1))
    return session.run(["logits", *names], {"x": feed[0]})


def canonical(**how):
    net = Transformer(**how)
    return net, canonicalize(net.model(), (1, 3, net.side, net.side))


def test_statistics_of_channels():
    found = seen([1, -2], [3, 0])
    assert found.low.tolist() == [0, -2]  # Zero always has a code.
    assert found.high.tolist() == [3, 0]
    assert found.squares.tolist() == [10, 4]
    assert found.rows == 2


def test_rounding_error_by_hand():
    # A step of activations is (2 + 1) / 255, one of weights 3 / 127 and 1 / 127.
    statistics = seen([2, -1])
    weight = np.array([[1.0, 3.0], [1.0, 0.0]])
    activations = (3 / 255) ** 2 * (1 + 9 + 1)
    weights = ((3 / 127) ** 2 + (1 / 127) ** 2) * (4 + 1)
    found = rounding_error(of_rows(weight), statistics, np.ones(2))
    assert found == pytest.approx((activations + weights) / 12)
    # With the second channel divided by 2, its weights doubled: 2.5 / 255, and 6 / 127.
    activations = (2.5 / 255) ** 2 * (1 + 36 + 1)
    weights = ((6 / 127) ** 2 + (1 / 127) ** 2) * (4 + 1 / 4)
    found = rounding_error(of_rows(weight), statistics, np.array([1.0, 2.0]))
    assert found == pytest.approx((activations + weights) / 12)


def test_channel_that_stands_out_is_divided_by_more():
    by = factors(of_rows(np.ones((4, 3))), seen([1, 16, -1], [0.5, -16, 1]))
    assert by[1] > 2 * by[0]
    assert by[0] == by[2]


def test_even_channels_stay_as_they_are():
    assert factors(of_rows(np.ones((4, 3))), seen([1, 1, -1], [-1, -1, 1])).tolist() == [1, 1, 1]


def test_channels_that_hold_nothing_change_nothing():
    by = factors(of_rows(np.array([[1.0, 0.0, 2.0]])), seen([0, 5, 1], [0, -5, 1]))
    assert by[:2].tolist() == [1, 1]
    assert factors(of_rows(np.zeros((2, 2))), seen([1, 1])).tolist() == [1, 1]


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**16))
def test_factors_are_never_worse_than_none(channels, outputs, seed):
    random = np.random.default_rng(seed)
    spread = np.exp(random.normal(0, 2, channels))
    statistics = seen(*(random.normal(0, 1, (8, channels)) * spread))
    weight = random.normal(0, 1, (outputs, channels))
    by = factors(of_rows(weight), statistics)
    assert (by > 0).all()
    plain = rounding_error(of_rows(weight), statistics, np.ones(channels))
    assert rounding_error(of_rows(weight), statistics, by) <= plain


@pytest.mark.parametrize("fused", [True, False])
def test_what_can_be_evened_in_a_transformer(fused):
    _, model = canonical(fused=fused)
    found = {each.layers for each in uneven(Graph(model)) if each.parameters}
    names = [layer.name for layer in Graph(model).layers()]
    wanted = [
        next(name for name in names if name.startswith(layer))
        for layer in ("block0_qkv", "block0_fc1", "block1_qkv", "block1_fc1", "head")
    ]
    assert found == {(name,) for name in wanted}
    others = {each.layers[0] for each in uneven(Graph(model)) if not each.parameters}
    assert {name[:11] for name in others} == {
        *("block0_proj", "block0_fc2_", "block1_proj", "block1_fc2_")
    }


@pytest.mark.parametrize("fused", [True, False])
def test_a_smoothed_graph_computes_the_same_with_even_channels(fused):
    net, model = canonical(fused=fused)
    images = net.images(4)
    smoothed = smooth(model, images)
    onnx.checker.check_model(smoothed)
    names = [each.tensor for each in uneven(Graph(model)) if each.parameters]
    before, after = run(model, images[0], names), run(smoothed, images[0], names)
    np.testing.assert_allclose(after[0], before[0], rtol=1e-3, atol=1e-4)
    for one, other in zip(before[1:], after[1:], strict=True):
        assert _uneven(other) < 0.8 * _uneven(one)


def _uneven(values):
    """The largest channel beside the typical one."""
    largest = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
    return largest.max() / np.median(largest)


def test_a_tensor_that_others_read_stays():
    source = Transformer().model()
    source.graph.output.append(onnx.helper.make_empty_tensor_value_info("block0_norm1_out"))
    model = canonicalize(source, (1, 3, 32, 32))
    free = [each for each in uneven(Graph(model)) if each.parameters]
    layers = [name for each in free for name in each.layers]
    assert not any(name.startswith("block0_qkv") for name in layers)
    assert any(name.startswith("block1_qkv") for name in layers)


def test_a_channel_that_stands_far_out_behind_a_gelu_is_worth_a_product():
    net = Transformer()
    source = net.model()
    constants = {tensor.name: tensor for tensor in source.graph.initializer}
    weight = net.constants["block1_fc1_w"].copy()
    weight[:, 3] *= 60
    constants["block1_fc1_w"].CopyFrom(numpy_helper.from_array(weight, "block1_fc1_w"))
    model = canonicalize(source, (1, 3, net.side, net.side))
    images = net.images(4)
    smoothed = smooth(model, images)
    onnx.checker.check_model(smoothed, full_check=True)
    added = len(smoothed.graph.node) - len(model.graph.node)
    products = [n for n in smoothed.graph.node if n.output[0].endswith("__evened")]
    assert (added, len(products)) == (1, 1)
    np.testing.assert_allclose(
        run(smoothed, images[0], [])[0], run(model, images[0], [])[0], rtol=1e-3, atol=1e-4
    )
    before, after = (
        run(smoothed, images[0], [name])[1]
        for name in products[0].input[:1] + products[0].output[:1]
    )
    assert _uneven(after) < 0.2 * _uneven(before)
    # The layer behind it is one of tokens still.
    assert {each.layer for each in token_layers(Graph(smoothed))} == {
        each.layer for each in token_layers(Graph(model))
    }


def test_a_graph_without_layers_of_tokens_is_left_alone():
    net = Net(1)
    flat = net.node("Flatten", net.node("GlobalAveragePool", net.conv("x", 4)))
    model = net.model(net.gemm(flat, 5))
    assert smooth(model, []) is model
