"""Pairing tensors by their values, the record of a quantization, and what a graph tells."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.quantize.fingerprint import SAMPLES, Fingerprint, pair
from fqbench.quantize.graph import Graph, float_layers
from fqbench.quantize.record import Quantization
from tests.onnx_graphs import Net


def values(seed=0, size=1000):
    return np.random.default_rng(seed).normal(0, 1, size).astype(np.float32)


def test_fingerprint_of_a_small_tensor_holds_all_of_it():
    found = Fingerprint.of(np.array([[1.0, -4.0], [0.5, 2.0]], np.float32))
    assert found == Fingerprint(size=4, amax=4.0, samples=(1.0, -4.0, 0.5, 2.0))


def test_fingerprint_of_a_large_tensor_holds_samples_at_even_strides():
    found = Fingerprint.of(np.arange(1024, dtype=np.float32).reshape(4, 256))
    assert (found.size, found.amax) == (1024, 1023.0)
    assert found.samples == tuple(float(4 * i) for i in range(SAMPLES))


def test_fingerprint_of_an_empty_tensor_matches_nothing():
    empty = Fingerprint.of(np.zeros((0, 3), np.float32))
    assert (empty.size, empty.amax) == (0, 0.0)
    assert not empty.matches(empty)


def test_layout_does_not_count_but_order_does():
    x = values(size=24)
    assert Fingerprint.of(x.reshape(2, 3, 4)).matches(Fingerprint.of(x.reshape(1, 24)))
    assert not Fingerprint.of(x.reshape(4, 6)).matches(Fingerprint.of(x.reshape(4, 6).T))


@pytest.mark.parametrize(("relative", "same"), [(0.0, True), (1e-3, True), (3e-3, False)])
def test_one_sample_may_differ_by_two_thousandths_of_the_largest(relative, same):
    first = np.array([0.1, 8.0, 0.2], np.float32)
    second = first + np.array([8.0 * relative, 0.0, 0.0], np.float32)
    assert Fingerprint.of(first).matches(Fingerprint.of(second)) is same


@pytest.mark.parametrize(("factor", "same"), [(1.001, True), (1.003, False), (-1.0, False)])
def test_scaled_tensor_is_another(factor, same):
    assert Fingerprint.of(values()).matches(Fingerprint.of(values() * np.float32(factor))) is same


def test_outlier_between_the_samples_tells_tensors_apart():
    first, second = values(size=1024), values(size=1024)
    second[1] = 100.0
    left, right = Fingerprint.of(first), Fingerprint.of(second)
    assert left.samples == right.samples
    assert not left.matches(right)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_tensor_with_values_that_are_not_finite_matches_nothing(bad):
    x = values()
    x[0] = bad
    assert not Fingerprint.of(x).matches(Fingerprint.of(values()))
    assert not Fingerprint.of(values()).matches(Fingerprint.of(x))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 2000), st.floats(1e-6, 1e6))
def test_noise_of_a_runtime_is_the_same_tensor_and_another_draw_is_not(seed, size, scale):
    x = values(seed, size) * np.float32(scale)
    noise = values(seed + 1, size) * np.float32(1e-5) * np.abs(x).max()
    assert Fingerprint.of(x).matches(Fingerprint.of(x + noise))
    other = values(seed + 2, size) * np.float32(scale)
    assert not Fingerprint.of(x).matches(Fingerprint.of(other))


def test_pairs_name_all_that_is_the_same_and_leave_out_what_is_not():
    a, b, c = (Fingerprint.of(values(seed)) for seed in range(3))
    zero = Fingerprint.of(np.zeros(1000, np.float32))
    wanted = {"a": a, "b": b, "zero": zero}
    offered = {"p": b, "q": a, "copy of q": a, "r": c, "zero": zero}
    assert pair(wanted, offered) == {"a": ("q", "copy of q"), "b": ("p",)}
    assert pair({}, offered) == pair(wanted, {}) == {}


names = st.text(max_size=10)
numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=50)
@given(
    amax=st.dictionaries(names, numbers, max_size=4),
    weight_amax=st.dictionaries(names, st.lists(numbers, max_size=4).map(tuple), max_size=4),
    float_layers=st.dictionaries(names, names, max_size=4),
)
def test_record_comes_back_from_its_file(tmp_path_factory, amax, weight_amax, float_layers):
    record = Quantization("offline", "hist", 32, amax, weight_amax, float_layers)
    path = tmp_path_factory.mktemp("record") / "quantization.json"
    record.write(path)
    assert Quantization.read(path) == record


def test_record_is_plain_json(tmp_path):
    path = tmp_path / "quantization.json"
    Quantization("offline", "KL", 8, {"x": 2.5}, {"w": (1.0, 0.5)}, {"head": "why"}).write(path)
    assert json.loads(path.read_text()) == {
        "method": "offline",
        "algorithm": "KL",
        "images": 8,
        "amax": {"x": 2.5},
        "weight_amax": {"w": [1.0, 0.5]},
        "float_layers": {"head": "why"},
    }


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_record_of_a_scale_that_is_not_finite_is_refused(tmp_path, bad):
    with pytest.raises(ValueError, match="JSON"):
        Quantization("offline", "KL", 8, {"x": bad}, {}, {}).write(tmp_path / "q.json")


def test_graph_knows_weights_inputs_producers_and_readers():
    net = Net()
    conv = net.conv("x", 4)
    square = net.node("Mul", conv, conv)
    graph = Graph(net.model(net.node("Add", square, conv)))
    assert graph.inputs == ["x"]
    assert set(graph.weights) == {"w0", "b0"}
    assert graph.producer[conv].op_type == "Conv"
    assert [n.op_type for n in graph.consumers[conv]] == ["Mul", "Add"]
    np.testing.assert_array_equal(graph.bias(graph.producer[conv]), net.weights["b0"])


def test_convolution_without_bias_and_with_a_computed_weight():
    net = Net()
    weight = net.constant("w", np.ones((2, 3, 1, 1), np.float32))
    plain = net.node("Conv", "x", weight, channels=2)
    computed = net.node("Conv", "x", net.node("Relu", weight, channels=3), channels=2)
    graph = Graph(net.model(plain, computed))
    assert [n.output[0] for n in graph.convolutions()] == [plain]
    assert graph.bias(graph.producer[plain]) is None


@pytest.mark.parametrize("kind", ["Relu", "Clip"])
def test_result_of_a_convolution_is_behind_its_activation(kind):
    net = Net()
    conv = net.conv("x", 4)
    last = net.clip(conv) if kind == "Clip" else net.node("Relu", conv)
    graph = Graph(net.model(last))
    assert graph.result(graph.producer[conv]) == last


@pytest.mark.parametrize("kind", ["Sigmoid", "LeakyRelu", "MaxPool"])
def test_result_of_a_convolution_before_another_operator_is_its_own(kind):
    net = Net()
    conv = net.conv("x", 4)
    last = net.node(kind, conv, **({"kernel_shape": [2, 2]} if kind == "MaxPool" else {}))
    graph = Graph(net.model(last))
    assert graph.result(graph.producer[conv]) == conv


def test_result_that_others_read_too_is_the_convolutions_own():
    net = Net()
    first, second = net.conv("x", 4), net.conv("x", 4)
    relu = net.node("Relu", first)
    graph = Graph(net.model(net.node("Add", relu, first), net.node("Relu", second), second))
    for conv in (first, second):
        assert graph.result(graph.producer[conv]) == conv


def test_linear_head_reaches_an_output_through_no_other_layer():
    net = Net()
    stem = net.node("Relu", net.conv("x", 4))
    head = net.conv(stem, 4)
    shape = net.constant("shape", np.array([1, 4, -1], np.int64))
    last = net.node("Sigmoid", net.node("Reshape", head, shape))
    model = net.model(last)
    graph = Graph(model)
    assert graph.is_linear_head(graph.producer[head])
    assert not graph.is_linear_head(graph.producer["conv0"])
    assert list(float_layers(graph)) == [graph.producer[head].name]


def test_convolution_whose_activation_is_the_output_is_no_linear_head():
    net = Net()
    model = net.model(net.node("Relu", net.conv("x", 4)))
    assert float_layers(Graph(model)) == {}


def test_convolution_before_a_fully_connected_layer_is_no_linear_head():
    net = Net()
    pooled = net.node("GlobalAveragePool", net.conv("x", 4))
    model = net.model(net.gemm(net.node("Flatten", pooled), 2))
    assert float_layers(Graph(model)) == {}


def test_convolution_that_is_an_output_and_feeds_a_layer_is_no_linear_head():
    """Its result feeds a layer in integers anyway."""
    net = Net()
    first = net.conv("x", 4)
    second = net.conv(first, 4)
    graph = Graph(net.model(first, second))
    assert not graph.is_linear_head(graph.producer[first])
    assert graph.is_linear_head(graph.producer[second])
