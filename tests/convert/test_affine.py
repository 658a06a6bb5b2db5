"""Constant factors and offsets in the layers beside them: the same function, in fewer operators."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.convert.affine import fold_affine
from fqbench.convert.canonical import canonicalize
from fqbench.convert.gemm import normalize_gemms
from fqbench.graph.executor import open_session, session_options
from tests.support.onnx_graphs import Net


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def run(model: onnx.ModelProto, image: np.ndarray) -> list[np.ndarray]:
    session = open_session(model.SerializeToString(), session_options(threads=1, exact=True))
    return session.run(None, {"x": image})


def same(model: onnx.ModelProto, found: onnx.ModelProto, net: Net) -> None:
    onnx.checker.check_model(found)
    image = net.image()
    for wanted, other in zip(run(model, image), run(found, image), strict=True):
        np.testing.assert_allclose(other, wanted, rtol=1e-4, atol=1e-4)


def step(net: Net, kind: str, source: str, value: np.ndarray, *, first: bool = False) -> str:
    name = net.constant(f"c{len(net.nodes)}", np.asarray(value, np.float32))
    inputs = (name, source) if first else (source, name)
    return net.node(kind, *inputs, channels=net.channels[source])


SHAPES = {"number": (), "one": (1,), "channels": (6, 1, 1), "batch": (1, 6, 1, 1)}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Mul", "Div", "Add", "Sub"]),
            st.sampled_from(sorted(SHAPES)),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 2**16),
)
def test_what_follows_a_layer_is_a_part_of_it(steps, seed):
    net = Net(seed)
    last = net.conv("x", 6)
    for kind, shape, first in steps:
        value = net.random.uniform(0.5, 2.0, SHAPES[shape])
        last = step(net, kind, last, value, first=first and kind in ("Mul", "Add"))
    model = net.model(last)
    found = fold_affine(model)
    assert kinds(found) == {"Conv": 1}
    same(model, found, net)


@pytest.mark.parametrize(("kernel", "groups"), [(1, 1), (3, 1), (3, 6)])
@pytest.mark.parametrize(
    "order", [("Mul",), ("Add",), ("Mul", "Add"), ("Add", "Mul"), ("Div", "Sub")]
)
def test_a_scalar_before_a_layer_is_a_part_of_it_where_nothing_is_padded(order, kernel, groups):
    net = Net(3)
    last = net.node("Sigmoid", net.conv("x", 6))
    for place, kind in enumerate(order):
        last = step(net, kind, last, 0.3 + place)
    model = net.model(net.conv(last, 6, kernel, groups=groups))
    found = fold_affine(model)
    same(model, found, net)
    # What is added stays before padding, which is zero.
    stays = kernel > 1 and not set(order) <= {"Mul", "Div"}
    left = kinds(found)
    assert left["Conv"] == 2
    assert left["Add"] + left["Sub"] == (1 if stays else 0)
    assert left["Mul"] + left["Div"] == 0


def norm(net: Net, source: str, *statistics: float, **attributes: object) -> str:
    """A batch norm by scale, shift, mean and variance, the same for each channel."""
    channels = net.channels[source]
    names = [
        net.constant(f"{source}_{place}", np.full(channels, value, np.float32))
        for place, value in enumerate(statistics)
    ]
    return net.node("BatchNormalization", source, *names, channels=channels, **attributes)


def test_a_batch_norm_is_a_part_of_the_layer_before_it():
    net = Net(8)
    model = net.model(norm(net, net.conv("x", 2, 1), 3.0, 0.5, 1.0, 3.0, epsilon=1.0))
    before = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    found = fold_affine(model)
    (layer,) = found.graph.node
    after = {t.name: onnx.numpy_helper.to_array(t) for t in found.graph.initializer}
    # 3 / sqrt(3 + 1) of what is 1 above the mean, and 0.5.
    weight, bias = layer.input[1:]
    np.testing.assert_allclose(after[weight], 1.5 * before["w0"], rtol=1e-6)
    np.testing.assert_allclose(after[bias], 1.5 * (before["b0"] - 1.0) + 0.5, rtol=1e-6)
    same(model, found, net)


def test_a_gemm_takes_what_its_rows_are_multiplied_by():
    net = Net(4, (3, 8))
    last = net.node("Sigmoid", step(net, "Mul", net.gemm("x", 6), np.linspace(0.5, 2, 6)))
    model = net.model(net.gemm(step(net, "Add", last, 0.25), 4))
    found = fold_affine(normalize_gemms(model))
    assert kinds(found) == {"Gemm": 2, "Sigmoid": 1}
    same(model, found, net)


def read_twice(net: Net) -> list[str]:
    first = net.conv("x", 6)
    return [net.node("Sigmoid", step(net, "Mul", first, 2.0)), net.node("Relu", first)]


def handed_out(net: Net) -> list[str]:
    first = net.conv("x", 6)
    return [net.node("Sigmoid", step(net, "Mul", first, 2.0)), first]


def of_columns(net: Net) -> list[str]:
    return [step(net, "Mul", net.conv("x", 6), np.linspace(1, 2, 16))]


def of_places(net: Net) -> list[str]:
    return [step(net, "Add", net.conv("x", 6), np.ones((16, 16)))]


def before_more_than_layers(net: Net) -> list[str]:
    scaled = step(net, "Mul", net.node("Sigmoid", net.conv("x", 6)), 2.0)
    return [net.conv(scaled, 6), net.node("Relu", scaled)]


def a_number_minus_it(net: Net) -> list[str]:
    return [step(net, "Sub", net.conv("x", 6), 1.0, first=True)]


def by_zero(net: Net) -> list[str]:
    return [net.node("Sigmoid", step(net, "Div", net.conv("x", 6), 0.0))]


def norm_of_batch(net: Net) -> list[str]:
    """Whose statistics are computed from the batch."""
    first = net.conv("x", 6)
    values = [net.constant(f"v{place}", np.ones(6, np.float32)) for place in range(4)]
    node = onnx.helper.make_node(
        "BatchNormalization", [first, *values], ["y", "m", "v"], training_mode=1
    )
    net.nodes.append(node)
    net.channels["y"] = 6
    return ["y"]


def norm_without_layer(net: Net) -> list[str]:
    return [norm(net, net.node("Relu", net.conv("x", 6)), 2.0, 0.5, 0.1, 1.5)]


def norm_of_no_spread(net: Net) -> list[str]:
    return [norm(net, net.conv("x", 6), 2.0, 0.5, 0.1, 0.0, epsilon=0.0)]


def shared_weight(net: Net) -> list[str]:
    first = step(net, "Mul", net.conv("x", 3), 2.0)
    weight = net.nodes[0].input[1]
    second = net.node("Conv", net.node("Relu", first), weight, channels=3, pads=[1, 1, 1, 1])
    return [second]


@pytest.mark.parametrize(
    "write",
    [
        read_twice,
        handed_out,
        of_columns,
        of_places,
        before_more_than_layers,
        a_number_minus_it,
        by_zero,
        norm_of_batch,
        norm_without_layer,
        norm_of_no_spread,
        shared_weight,
    ],
)
def test_what_is_needed_as_it_is_stays(write):
    net = Net(5)
    model = net.model(*write(net))
    assert kinds(fold_affine(model)) == kinds(model)


def test_a_gain_of_each_channel_stays_before_layers():
    """Where channels are evened out it takes their factors for nothing."""
    net = Net(6, (4, 8))
    normed = net.node("Sigmoid", net.gemm("x", 6))
    model = net.model(net.gemm(step(net, "Mul", normed, np.linspace(0.5, 2, 6)), 4))
    assert kinds(fold_affine(model))["Mul"] == 1


def test_canonical_graphs_have_none_left():
    net = Net(7)
    last = step(net, "Add", step(net, "Mul", net.conv("x", 6), 1.4, first=True), [0.6])
    model = net.model(net.conv(step(net, "Mul", net.node("Sigmoid", last), 0.2), 4, 1))
    found = canonicalize(model, net.shape)
    assert kinds(found) == {"Conv": 2, "Sigmoid": 1}
    same(model, found, net)
