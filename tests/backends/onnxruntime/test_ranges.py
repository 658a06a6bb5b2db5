"""Scales of activations: shared where values only move, and by the parts of a concatenation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.backends.onnxruntime.ranges import activation_affines, keeps_scale
from fqbench.backends.onnxruntime.rewrite import rewrite
from fqbench.graph.graph import Graph
from fqbench.quantize.affine import Affine
from fqbench.quantize.algorithms import Range
from tests.support.onnx_graphs import Net


def affines(net, *outputs, ranges):
    found = {name: Range(low, high, max(-low, high)) for name, (low, high) in ranges.items()}
    return activation_affines(Graph(net.model(*outputs)), found)


def affine(scale, zero_point=0):
    return Affine(float(np.float32(scale)), zero_point)


def test_range_of_an_input_and_of_results():
    net = Net()
    last = net.node("Relu", net.conv("x", 4))
    found = affines(net, last, ranges={"x": (-51.0, 204.0), last: (0.0, 25.5)})
    assert found == {"x": affine(1.0, 51), last: affine(0.1)}


def test_range_that_begins_where_silu_ends_wastes_no_code():
    net = Net()
    last = net.silu(net.conv("x", 4))
    found = affines(net, last, ranges={last: (-0.278, 7.0)})
    assert found[last].zero_point == 10
    assert found[last].dequantize([0, 255]) == pytest.approx([-0.2854, 6.9926], abs=1e-4)


@pytest.mark.parametrize(
    "move",
    [
        lambda net, a: net.node("MaxPool", a, kernel_shape=[2, 2]),
        lambda net, a: net.node("Transpose", a, perm=[0, 1, 3, 2]),
        lambda net, a: net.node("Flatten", a),
        lambda net, a: net.resize(a),
        lambda net, a: net.shuffle(a, 16),
        lambda net, a: net.split(a)[1],
    ],
)
def test_result_of_what_only_moves_values_takes_over_the_scale(move):
    net = Net()
    source = net.conv("x", 4)
    last = move(net, source)
    found = affines(net, last, ranges={source: (-1.0, 50.0), last: (0.0, 1.0)})
    assert found[last] == found[source] == affine(0.2, 5)


def test_what_moves_a_tensor_without_range_has_none_either():
    net = Net()
    last = net.node("MaxPool", net.conv("x", 4), kernel_shape=[2, 2])
    assert affines(net, last, ranges={last: (0.0, 1.0)}) == {}


def test_resize_that_computes_between_pixels_has_a_range_of_its_own():
    net = Net()
    source = net.conv("x", 4)
    last = net.resize(source)
    for attribute in net.nodes[-1].attribute:
        if attribute.name == "mode":
            attribute.s = b"linear"
        if attribute.name == "coordinate_transformation_mode":
            attribute.s = b"half_pixel"
    assert not keeps_scale(net.nodes[-1])
    found = affines(net, last, ranges={source: (0.0, 51.0), last: (0.0, 25.5)})
    assert found[last] == affine(0.1)


def test_sigmoid_needs_no_calibration():
    net = Net()
    source = net.conv("x", 4)
    last = net.node("Sigmoid", source)
    expected = {last: Affine(1 / 255, 0)}
    assert affines(net, last, ranges={last: (0.2, 0.3)}) == expected
    assert affines(net, last, ranges={}) == expected


def concatenated(write):
    net = Net()
    first, second = net.conv("x", 4), write(net, net.conv("x", 4))
    joined = net.concat(first, second)
    ranges = dict.fromkeys((first, second), (0.0, 51.0))
    return net, joined, second, {**ranges, "conv1": (0.0, 51.0), joined: (0.0, 255.0)}


def test_parts_of_a_concatenation_take_its_scale():
    net, joined, second, ranges = concatenated(lambda net, a: net.node("Relu", a))
    found = affines(net, joined, ranges=ranges)
    assert found["conv0"] == found[second] == found[joined] == affine(1.0)
    assert found["conv1"] == affine(0.2)


@pytest.mark.parametrize(
    "write",
    [
        lambda net, a: net.node("MaxPool", a, kernel_shape=[1, 1]),  # bound to its input's
        lambda net, a: net.node("Sigmoid", a),
    ],
)
def test_part_whose_scale_is_given_keeps_it(write):
    net, joined, second, ranges = concatenated(write)
    alone = affines(net, second, ranges=ranges)[second]
    found = affines(net, joined, ranges=ranges)
    assert found[second] == alone != found[joined]
    assert found["conv0"] == found[joined]


def test_input_of_the_model_keeps_its_scale():
    net = Net()
    joined = net.concat("x", net.conv("x", 4))
    found = affines(net, joined, ranges={"x": (0.0, 51.0), joined: (0.0, 255.0)})
    assert found["x"] == affine(0.2)


def test_part_that_something_else_reads_keeps_its_scale():
    net, joined, second, ranges = concatenated(lambda net, a: net.node("Relu", a))
    other = net.conv(second, 4)
    assert affines(net, joined, other, ranges=ranges)[second] == affine(0.2)
    net, joined, second, ranges = concatenated(lambda net, a: net.node("Relu", a))
    assert affines(net, joined, second, ranges=ranges)[second] == affine(0.2)


def test_concatenation_of_concatenations_has_one_scale():
    net = Net()
    inner = net.concat(net.conv("x", 4), net.conv("x", 4))
    outer = net.concat(inner, net.conv("x", 4))
    ranges = dict.fromkeys(("conv0", "conv1", inner, "conv3"), (0.0, 51.0))
    found = affines(net, outer, ranges={**ranges, outer: (0.0, 255.0)})
    assert found == dict.fromkeys((*ranges, outer), affine(1.0))


def test_shuffle_as_a_convolution_keeps_the_scale_and_a_pooling_does_not():
    net = Net()
    source = net.conv("x", 4)
    turned = net.shuffle(source, 16)
    pooled = net.average(turned)
    model = rewrite(net.model(pooled), {node.name for node in net.nodes})
    ranges = {source: Range(0.0, 51.0, 51.0), pooled: Range(0.0, 25.5, 25.5)}
    found = activation_affines(Graph(model), ranges)
    assert found[turned] == found[source] == affine(0.2)
    assert found[pooled] == affine(0.1)


@settings(deadline=None, max_examples=30)
@given(st.floats(-100.0, 0.0), st.floats(1e-3, 100.0))
def test_the_same_range_has_the_same_scale_everywhere(low, high):
    net = Net()
    source = net.conv("x", 4)
    last = net.node("Add", source, source)
    found = affines(net, last, ranges={"x": (low, high), source: (low, high), last: (low, high)})
    assert len(set(found.values())) == 1
