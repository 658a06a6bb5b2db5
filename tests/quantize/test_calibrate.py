"""From a graph and images to a record: what is seen, what is kept, and what is written."""

import json

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.errors import StepError
from fqbench.graph.executor import InstrumentedModel
from fqbench.graph.graph import Graph
from fqbench.quantize.adapt import apply_rounded_weights
from fqbench.quantize.affine import UINT8_LEVELS, int8_weight
from fqbench.quantize.algorithms import Range, hard_swish, identity, silu
from fqbench.quantize.calibrate import (
    KEPT_BY_SPEC,
    NO_RANGE,
    activation_ranges,
    calibrate,
    following_activation,
    weight_limits,
)
from fqbench.quantize.observe import observe
from fqbench.quantize.record import Quantization
from tests.support.onnx_graphs import Net
from tests.support.qdq_reference import evaluate


def small():
    """Three layers of a name each, a SiLU, a head; and three images."""
    net = Net(4)
    first = net.silu(net.conv("x", 6))
    second = net.node("Relu", net.conv(first, 6))
    model = net.model(net.conv(second, 5, 1), second)
    return model, [[net.image()] for _ in range(3)]


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.parametrize("image", ["noise", "one value"])
def test_equal_images_round_a_layer_that_reads_one_place_to_the_nearest(count, image):
    """What a fully connected layer reads has no variance: nothing can compensate anything."""
    net = Net(0, shape=(1, 8, 16, 16))
    first = net.node("Relu", net.conv("x", 64))
    flat = net.node("Flatten", net.node("GlobalAveragePool", first))
    model = net.model(net.gemm(flat, 10))
    given = net.image() if image == "noise" else np.full((1, 8, 16, 16), 0.3, np.float32)
    record = calibrate(model, [[given]] * count, "search")
    graph = Graph(model)
    layer = graph.layers()[1]
    nearest, _ = int8_weight(graph.weight(layer), record.weight_amax[layer.input[1]])
    found = record.rounded[layer.name]
    assert np.frombuffer(found.codes, np.int8).reshape(nearest.shape).tolist() == nearest.tolist()
    # The mean is known from one image, too.
    wanted = evaluate(model, {"x": given})[layer.output[0]]
    kept = evaluate(apply_rounded_weights(model, record, {layer.name}), {"x": given})[
        layer.output[0]
    ]
    np.testing.assert_allclose(kept, wanted, atol=1e-4)


class Once:
    """Images that can be read a single time; counts how often one was asked for."""

    def __init__(self, feeds):
        self.left = list(feeds)
        self.asked = 0

    def __iter__(self):
        while self.left:
            self.asked += 1
            yield self.left.pop(0)


def test_watched_tensors_are_those_of_the_float_graph():
    model, feeds = small()
    found = InstrumentedModel(model).run(feeds[0])
    expected = evaluate(model, {"x": feeds[0][0]})
    assert found.keys() == {"x", *expected}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-4)


def test_only_the_tensors_asked_for_and_the_outputs_are_computed():
    model, feeds = small()
    before = model.SerializeToString(deterministic=True)
    watched = InstrumentedModel(model, ["mul2"])
    assert watched.computed(feeds[0]).keys() == {"mul2", "conv5", "relu4"}
    assert watched.run(feeds[0]).keys() == {"x", "mul2", "conv5", "relu4"}
    assert model.SerializeToString(deterministic=True) == before


def test_tensor_that_is_no_float_is_left_out():
    net = Net()
    shape = net.node("Shape", "x")
    model = net.model(net.node("Reshape", net.conv("x", 3), shape))
    assert shape not in InstrumentedModel(model).computed([net.image()])


def test_feed_with_too_few_inputs_is_refused():
    model, _ = small()
    with pytest.raises(ValueError, match="zip"):
        InstrumentedModel(model).run([])


def test_statistics_are_of_all_images():
    model, feeds = small()
    found = observe(model, feeds).histograms
    values = [evaluate(model, {"x": feed[0]}) for feed in feeds]
    # What a SiLU multiplies by lies between 0 and 1, and nobody rounds before a Relu.
    assert found.keys() == {"x", *values[0]} - {"sigmoid1", "conv3"}
    for name in found.keys() - {"x"}:
        each = [value[name] for value in values]
        assert found[name].low == pytest.approx(min(v.min() for v in each), abs=1e-4)
        assert found[name].high == pytest.approx(max(v.max() for v in each), abs=1e-4)
        assert found[name].image_amax == pytest.approx([np.abs(v).max() for v in each], abs=1e-4)
    assert found["x"].high == max(feed[0].max() for feed in feeds)


def test_each_image_is_read_once():
    model, feeds = small()
    images = Once(feeds)
    record = calibrate(model, images, "search")
    assert images.asked == record.images == 3


def test_record_of_a_graph():
    model, feeds = small()
    record = calibrate(model, feeds, "abs_max")
    assert (record.method, record.algorithm, record.images) == ("offline", "abs_max", 3)
    assert record.float_layers == {}
    assert record.ranges.keys() == {"x", "conv0", "mul2", "relu4", "conv5"}
    assert record.ranges["relu4"].low == 0.0
    assert record.ranges["relu4"].high == record.ranges["relu4"].amax > 0.0
    assert record.ranges["conv5"].low < 0.0 < record.ranges["conv5"].high
    assert record.weight_amax.keys() == {"w0", "w3", "w5"}


def test_limits_of_weights_are_those_of_each_output_channel():
    net = Net()
    last = net.conv("x", 2, 1)
    net.weights["w0"] = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.25]], np.float32)[..., None, None]
    assert weight_limits(Graph(net.model(last))) == {"w0": (2.0, 0.25)}


@pytest.mark.parametrize("transposed", [0, 1])
def test_output_channels_of_a_fully_connected_layer(transposed):
    net = Net(shape=(1, 3))
    weight = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.25]], np.float32)
    name = net.constant("w", weight if transposed else weight.T.copy())
    model = net.model(net.node("Gemm", "x", name, channels=2, transB=transposed))
    assert weight_limits(Graph(model)) == {"w": (2.0, 0.25)}


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        (["n_conv3"], {"n_conv3"}),
        (["n_conv3", "n_conv0"], {"n_conv0", "n_conv3"}),
        (["n_conv[35]"], {"n_conv3", "n_conv5"}),
        (["*v3", "n_*0"], {"n_conv0", "n_conv3"}),
    ],
)
def test_layers_that_the_spec_keeps_in_float(patterns, kept):
    model, feeds = small()
    record = calibrate(model, feeds, "abs_max", patterns)
    assert record.float_layers == dict.fromkeys(kept, KEPT_BY_SPEC)


@pytest.mark.parametrize("pattern", ["n_conv9", "N_CONV3", "conv3", "n_mul2", ""])
def test_pattern_that_matches_no_layer_is_told_with_some_that_there_are(pattern):
    model, feeds = small()
    with pytest.raises(StepError) as told:
        calibrate(model, feeds, "abs_max", ["n_conv3", pattern])
    assert str(told.value) == (
        f"keep_float {pattern!r} is none of the 3 layers (n_conv0, n_conv3, n_conv5, …)"
    )


def test_everything_kept_in_float_is_told():
    model, feeds = small()
    with pytest.raises(StepError, match="no layer of the model is left to quantize"):
        calibrate(model, feeds, "abs_max", ["*"])


def test_layer_behind_nothing_but_zeros_stays_in_float():
    net = Net(4)
    dead = net.node("Relu", net.conv("x", 4))
    net.weights["w0"][:] = 0.0
    net.weights["b0"][:] = -1.0
    model = net.model(net.conv(dead, 4), net.node("Relu", net.conv("x", 4)))
    record = calibrate(model, [[net.image()]], "abs_max")
    assert record.float_layers == {"n_conv0": NO_RANGE, "n_conv2": NO_RANGE}
    assert record.ranges.keys() == {"x", "conv2", "relu4"}


def test_no_image_gives_no_range():
    model, _ = small()
    with pytest.raises(StepError, match="no layer of the model is left to quantize"):
        calibrate(model, [], "abs_max")


@pytest.mark.parametrize(
    ("write", "wanted"),
    [
        (lambda net, a: [net.silu(a)], silu),
        (lambda net, a: [net.node("Mul", net.node("Sigmoid", a), a)], silu),
        (lambda net, a: [net.node("HardSwish", a)], hard_swish),
        (lambda net, a: [net.node("HardSwish", a), net.node("Relu", a)], identity),
        (lambda net, a: [net.node("Relu", a)], identity),
        (lambda net, a: [net.node("Sigmoid", a)], identity),
        (lambda net, a: [net.silu(a), net.node("Relu", a)], identity),
        (lambda net, a: [net.silu(a), a], identity),
        (lambda net, a: [a], identity),
    ],
)
def test_only_what_an_activation_alone_reads_is_judged_behind_it(write, wanted):
    net = Net()
    source = net.conv("x", 4)
    assert following_activation(Graph(net.model(*write(net, source), opset=14)), source) is wanted


def test_range_before_a_silu_leaves_out_what_silu_makes_nothing_of():
    """Far below zero SiLU is zero, so no code need tell such values apart."""
    net = Net()
    source = net.node("Identity", "x")
    values = np.concatenate([np.full(68, -40.0), np.linspace(-3.0, 6.0, 700)])
    image = values.reshape(net.shape).astype(np.float32)

    def found(last):
        graph = Graph(net.model(last))
        seen = observe(graph.model, [[image]]).histograms
        return activation_ranges(graph, seen, "search")[source]

    plain = found(net.node("Relu", source))
    net.nodes.pop()
    gated = found(net.silu(source))
    assert plain.low < -35.0
    assert -8.0 < gated.low < -1.0
    assert gated.high == pytest.approx(6.0, abs=0.1)
    assert (gated.high - gated.low) / UINT8_LEVELS < 0.35 * (plain.high - plain.low) / UINT8_LEVELS


def test_same_images_in_another_order_give_the_same_record():
    model, feeds = small()
    for algorithm in ("search", "KL", "hist", "percentile"):
        forward, backward = (calibrate(model, part, algorithm) for part in (feeds, feeds[::-1]))
        assert forward.ranges == backward.ranges


def test_graph_is_not_changed():
    model, feeds = small()
    before = model.SerializeToString(deterministic=True)
    calibrate(model, feeds, "search", ["n_conv3"])
    assert model.SerializeToString(deterministic=True) == before
    onnx.checker.check_model(model)


numbers = st.floats(0.0, 1e30, allow_nan=False)
names = st.text(min_size=1, max_size=12)
records = st.builds(
    Quantization,
    method=st.just("offline"),
    algorithm=st.sampled_from(["search", "KL"]),
    images=st.integers(0, 1000),
    ranges=st.dictionaries(
        names, st.builds(Range, numbers.map(lambda v: -v), numbers, numbers), max_size=4
    ),
    weight_amax=st.dictionaries(names, st.lists(numbers, max_size=4).map(tuple), max_size=4),
    float_layers=st.dictionaries(names, st.text(max_size=20), max_size=4),
)


@settings(deadline=None, max_examples=100)
@given(records)
def test_record_comes_back_as_it_was_written(tmp_path_factory, record):
    path = tmp_path_factory.mktemp("record") / "quantization.json"
    record.write(path)
    assert Quantization.read(path) == record


def test_record_of_a_calibration_comes_back(tmp_path):
    model, feeds = small()
    record = calibrate(model, feeds, "search", ["n_conv3"])
    record.write(tmp_path / "quantization.json")
    assert Quantization.read(tmp_path / "quantization.json") == record
    text = json.loads((tmp_path / "quantization.json").read_text())
    assert text["ranges"]["relu4"].keys() == {"low", "high", "amax"}


def test_number_that_json_does_not_know_is_not_written(tmp_path):
    record = Quantization("offline", "search", 1, {"x": Range(0.0, float("nan"), 1.0)}, {}, {})
    with pytest.raises(ValueError, match="JSON"):
        record.write(tmp_path / "quantization.json")
    assert not (tmp_path / "quantization.json").exists()
