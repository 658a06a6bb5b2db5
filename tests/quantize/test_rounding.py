"""Weights whose rounding errors compensate each other: exact cases, and what must never worsen."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.graph.executor import InstrumentedModel
from fqbench.graph.graph import Graph
from fqbench.quantize.adapt import apply_rounded_weights, round_layer, rounded_weight
from fqbench.quantize.affine import int8_weight
from fqbench.quantize.calibrate import calibrate
from fqbench.quantize.moments import Moments, PatchSampler
from fqbench.quantize.record import Quantization, RoundedWeight
from fqbench.quantize.rounding import DAMPING, Factor, gptq_round
from tests.support.onnx_graphs import Net
from tests.support.qdq_reference import evaluate


def test_inputs_that_have_nothing_in_common_leave_the_nearest_codes():
    weight = np.array([[[0.4, 1.6, -2.5, 127.9]]])
    covariance = np.diag([1.0, 2.0, 3.0, 4.0])[None]
    assert gptq_round(weight, np.ones((1, 1)), Factor.of(covariance)).tolist() == [
        [[0, 2, -2, 127]]
    ]


def test_what_two_equal_inputs_lose_is_made_up_for():
    """0.4 + 0.4 + 0.4 of one and the same value are 1.2: nearest codes give 0."""
    codes = gptq_round(np.full((1, 1, 3), 0.4), np.ones((1, 1)), Factor.of(np.ones((1, 3, 3))))
    assert codes.sum() == 1


def test_each_column_is_rounded_from_where_it_compensates_best():
    """The least error for the columns that are left, solved for again after each rounding."""
    random = np.random.default_rng(4)
    read = random.normal(size=(300, 6)) @ random.normal(size=(6, 100))
    covariance = read.T @ read / 300
    weight = random.normal(0, 20, 100)
    damped = covariance + DAMPING * np.trace(covariance) / 100 * np.eye(100)
    errors = np.zeros(100)
    order = np.argsort(-np.diagonal(covariance), kind="stable")
    for place, column in enumerate(order):
        past, left = order[:place], order[place:]
        moved = np.linalg.solve(damped[np.ix_(left, left)], damped[np.ix_(left, past)])
        errors[column] = weight[column] - np.rint(weight[column] + moved[0] @ errors[past])
    codes = gptq_round(weight[None, None], np.ones((1, 1)), Factor.of(covariance[None]))
    assert codes[0, 0].tolist() == (weight - errors).tolist()


def test_groups_are_rounded_by_themselves():
    weight = np.random.default_rng(0).normal(0, 20, (3, 2, 5))
    read = np.random.default_rng(1).normal(size=(3, 40, 5)) @ np.ones((5, 5))
    covariance = read.swapaxes(1, 2) @ read
    units = np.ones((3, 2))
    together = gptq_round(weight, units, Factor.of(covariance))
    for group in range(3):
        part = slice(group, group + 1)
        alone = gptq_round(weight[part], units[part], Factor.of(covariance[part]))
        np.testing.assert_array_equal(together[part], alone)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 150), st.integers(1, 20))
def test_results_are_nearer_than_with_nearest_codes_where_inputs_go_together(seed, columns, causes):
    random = np.random.default_rng(seed)
    read = random.normal(size=(400, causes)) @ random.normal(size=(causes, columns))
    weight = random.normal(0, 15, (1, 32, columns))
    covariance = (read.T @ read / len(read))[None]

    def error(codes):
        return np.square((weight[0] - codes[0]) @ read.T).sum()

    codes = gptq_round(weight, np.ones((1, 32)), Factor.of(covariance))
    nearest = np.clip(np.rint(weight), -127, 127)
    assert np.abs(codes.astype(int)).max() <= 127
    assert error(codes) <= 1.1 * error(nearest)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6),
    st.integers(1, 80),
    st.integers(0, 3),
    st.sampled_from([0.0, 1.0, 1e4]),
    st.sampled_from([1e-18, 1.0, 1e12]),
)
def test_covariances_of_little_rank_and_noise_leave_codes_no_worse(seed, columns, rank, mean, unit):
    """Second moments in float32, less the square of the mean: noise where ``rank`` is 0."""
    random = np.random.default_rng(seed)
    causes = random.normal(size=(50, rank)) @ random.normal(size=(rank, columns))
    read = (unit * (causes + mean)).astype(np.float32)
    means = read.mean(axis=0, dtype=np.float64)
    noisy = (read.T @ read / np.float32(len(read))) - np.outer(means, means)
    weight = random.normal(0, 15, (1, 8, columns))
    codes = gptq_round(weight, np.ones((1, 8)), Factor.of(noisy[None].astype(np.float64)))
    nearest = np.clip(np.rint(weight), -127, 127)
    if rank == 0:
        assert np.abs(codes - nearest).max() <= 1
    if mean == 0.0:
        lost = [
            np.square((weight[0] - c[0]) @ read.T.astype(np.float64)).sum()
            for c in (codes, nearest)
        ]
        assert lost[0] <= 1.1 * lost[1]


def test_what_is_no_covariance_leaves_the_nearest_codes():
    weight = np.random.default_rng(0).normal(0, 20, (3, 4, 6))
    broken = np.stack([np.zeros((6, 6)), -np.eye(6), np.full((6, 6), np.nan)])
    codes = gptq_round(weight, np.ones((3, 4)), Factor.of(broken))
    np.testing.assert_array_equal(codes, np.rint(weight))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("attributes", [{}, {"strides": [2, 2]}, {"dilations": [2, 2]}])
def test_what_a_convolution_reads_is_what_it_multiplies(groups, attributes):
    net = Net(3, shape=(1, 4, 9, 8))
    model = net.model(net.conv("x", 8, 3, groups=groups, **attributes))
    graph, image = Graph(model), net.image()
    layer = graph.layers()[0]
    sampler = PatchSampler.of(graph, layer)
    read = sampler.sample(image, 300, np.random.default_rng(0))
    random = np.random.default_rng(0)
    rows, columns = (random.integers(size, size=300) for size in sampler.positions)
    weight = graph.weight(layer).reshape(groups, 8 // groups, -1)
    result = np.einsum("gok,gkp->gop", weight, read).reshape(8, -1)
    wanted = InstrumentedModel(model).run([image])["conv0"][0][:, rows, columns]
    bias = graph.bias(layer)[:, None]
    np.testing.assert_allclose(result + bias, wanted, atol=1e-4)


def test_wide_layers_are_read_in_parts(monkeypatch):
    monkeypatch.setattr("fqbench.quantize.moments.MAX_PATCH_SIZE", 20)
    net = Net(3, shape=(1, 8, 9, 8))
    model = net.model(net.conv("x", 6))
    sampler = PatchSampler.of(Graph(model), Graph(model).layers()[0])
    assert (sampler.parts, sampler.patch_size) == (4, 18)
    moments = Moments(sampler)
    moments.add(net.image())
    assert moments.mean.shape == (4, 18)
    weight = Graph(model).weight(Graph(model).layers()[0])
    amax = np.abs(weight).reshape(6, -1).max(axis=1)
    found = round_layer(weight, amax, moments, Factor.of(moments.covariance))
    codes = np.frombuffer(found.codes, np.int8).reshape(weight.shape)
    nearest, _ = int8_weight(weight, amax)
    assert np.abs(codes - nearest.astype(int)).max() <= 3


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_covariance_does_not_suffer_from_a_large_mean(offset):
    sampler = PatchSampler(1, 1, 3, (1, 1), (1, 1), (1, 1), (0, 0), (40, 40))
    moments, images = Moments(sampler, 1), []
    again = np.random.default_rng(1)
    for _ in range(30):
        image = np.random.default_rng(len(images)).normal(offset, 1, (1, 3, 40, 40))
        images.append(image.astype(np.float32))
        moments.add(images[-1])
    read = np.concatenate(
        [sampler.sample(i, sampler.sample_count, again)[0] for i in images], axis=1
    )
    wanted = np.cov(read.astype(np.float64), bias=True)
    unknown = np.finfo(np.float32).eps * np.square(moments.mean).mean() * np.eye(3)
    np.testing.assert_allclose(moments.covariance[0] - unknown, wanted, atol=2e-3 * wanted.max())


def test_values_whose_squares_are_beyond_float32_are_left_out():
    moments = Moments(PatchSampler(1, 1, 2, (1, 1), (1, 1), (1, 1), (0, 0), (2, 1)))
    moments.add(np.array([[1.0, 2.0], [1.0, 2.0]], np.float32))
    moments.add(np.array([[1e30, 1.0], [-1e30, 1.0]], np.float32))
    assert moments.mean.tolist() == [[1.0, 2.0]]
    assert np.isfinite(moments.covariance).all()


def test_a_layer_that_saw_nothing_gets_the_nearest_codes():
    moments = Moments(PatchSampler(1, 1, 3, (1, 1), (1, 1), (1, 1), (0, 0), (1, 1)))
    moments.add(np.full((1, 3), np.nan, np.float32))
    weight = np.array([[127.0, 2.4, -3.6]], np.float32)
    found = round_layer(weight, (127.0,), moments, Factor.of(moments.covariance))
    assert np.frombuffer(found.codes, np.int8).tolist() == [127, 2, -4]
    assert found.bias == (0.0,)


@pytest.mark.parametrize("transposed", [0, 1])
def test_square_fully_connected_layer_keeps_its_layout(transposed):
    net = Net(shape=(1, 3))
    weight = np.array([[127.0, 2.0, 3.0], [4.0, 127.0, 6.0], [7.0, 8.0, 127.0]], np.float32)
    name = net.constant("w", weight)
    model = net.model(net.node("Gemm", "x", name, channels=3, transB=transposed))
    first = weight if transposed else weight.T
    rounded = RoundedWeight(first.astype(np.int8).tobytes(), (1.0, 2.0, 3.0))
    record = Quantization("offline", "search", 1, {}, {"w": (127.0,) * 3}, {}, {"n_gemm0": rounded})
    result = Graph(apply_rounded_weights(model, record, {"n_gemm0"}))
    layer = result.layers()[0]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(result.weights["w"]), weight)
    assert result.bias(layer).tolist() == [1.0, 2.0, 3.0]


def test_codes_of_the_record_are_the_nearest_ones_of_adapted_weights():
    net = Net(5)
    last = net.conv(net.node("Relu", net.conv("x", 8)), 8)
    model = net.model(last)
    record = calibrate(model, [[net.image()] for _ in range(4)], "search")
    result = apply_rounded_weights(model, record, {"n_conv0"})
    graph = Graph(result)
    first, second = graph.layers()
    codes, _ = int8_weight(graph.weight(first), record.weight_amax["w0"])
    assert codes.tobytes() == record.rounded["n_conv0"].codes
    np.testing.assert_array_equal(rounded_weight(graph, first, record), graph.weight(first))
    # What is not to be rounded keeps its weight and bias.
    np.testing.assert_array_equal(graph.weight(second), Graph(model).weight(second))
    np.testing.assert_array_equal(graph.bias(second), Graph(model).bias(second))


def test_mean_of_a_layers_result_is_kept():
    net = Net(5)
    model = net.model(net.conv("x", 8))
    image = net.image() + 3.0
    record = calibrate(model, [[image]] * 20, "search")
    wanted = evaluate(model, {"x": image})["conv0"].mean(axis=(0, 2, 3))
    found = evaluate(apply_rounded_weights(model, record, {"n_conv0"}), {"x": image})["conv0"]
    np.testing.assert_allclose(found.mean(axis=(0, 2, 3)), wanted, atol=3e-3)


def test_weight_that_layers_share_is_rounded_as_it_is():
    net = Net(5)
    first, second = net.conv("x", 3), net.conv("x", 3)
    model = net.model(first, second)
    model.graph.node[1].input[1] = "w0"
    assert calibrate(model, [[net.image()]], "search").rounded == {}


def test_largest_weight_of_each_output_tells_the_unit():
    random = np.random.default_rng(2)
    read = random.normal(size=(200, 3)) @ random.normal(size=(3, 40))
    weight = random.normal(size=(1, 30, 40))
    units = np.abs(weight).max(axis=2) / 127
    codes = gptq_round(weight, units, Factor.of((read.T @ read)[None]))
    assert (np.abs(codes.astype(int)).max(axis=2) == 127).all()
