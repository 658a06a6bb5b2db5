"""HardSwish, as exporters write it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest

from fqbench.convert.canonical import canonicalize
from fqbench.convert.hard_swish import hard_swishes
from fqbench.graph.executor import open_session, session_options
from tests.support.onnx_graphs import Net


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    session = open_session(model.SerializeToString(), session_options(threads=1, exact=True))
    return session.run(None, {"x": image})[0]


def number(net: Net, value: float) -> str:
    return net.constant(f"n{len(net.weights)}", np.array(value, np.float32))


def gate(net: Net, source: str, shift: float = 3.0, high: float = 6.0) -> str:
    return net.clip(net.node("Add", source, number(net, shift)), 0.0, high)


def product_divided(net: Net, source: str) -> str:
    return net.node("Div", net.node("Mul", source, gate(net, source)), number(net, 6.0))


def product_multiplied(net: Net, source: str) -> str:
    product = net.node("Mul", gate(net, source), source)
    return net.node("Mul", product, number(net, 1 / 6))


def gate_divided(net: Net, source: str) -> str:
    return net.node("Mul", net.node("Div", gate(net, source), number(net, 6.0)), source)


def by_hard_sigmoid(net: Net, source: str) -> str:
    return net.node("Mul", source, net.node("HardSigmoid", source, alpha=1 / 6, beta=0.5))


@pytest.mark.parametrize(
    "write", [product_divided, product_multiplied, gate_divided, by_hard_sigmoid]
)
def test_it_is_one_operator_of_the_same_values(write):
    net = Net(1)
    model = net.model(write(net, net.conv("x", 6)))
    found = canonicalize(model, net.shape)
    assert kinds(found) == {"Conv": 1, "HardSwish": 1}
    assert {known.version for known in found.opset_import if known.domain == ""} == {14}
    image = 4.0 * net.image()
    np.testing.assert_allclose(run(found, image), run(model, image), rtol=1e-5, atol=1e-5)


def other_shift(net: Net, source: str) -> str:
    return net.node("Div", net.node("Mul", source, gate(net, source, 2.5)), number(net, 6.0))


def other_limit(net: Net, source: str) -> str:
    product = net.node("Mul", source, gate(net, source, high=5.0))
    return net.node("Div", product, number(net, 6.0))


def other_divisor(net: Net, source: str) -> str:
    return net.node("Div", net.node("Mul", source, gate(net, source)), number(net, 5.0))


def of_another(net: Net, source: str) -> str:
    product = net.node("Mul", net.node("Relu", source), gate(net, source))
    return net.node("Div", product, number(net, 6.0))


def default_hard_sigmoid(net: Net, source: str) -> str:
    return net.node("Mul", source, net.node("HardSigmoid", source))


@pytest.mark.parametrize(
    "write", [other_shift, other_limit, other_divisor, of_another, default_hard_sigmoid]
)
def test_another_function_stays(write):
    net = Net(2)
    model = net.model(write(net, net.conv("x", 6)))
    before = kinds(model)
    assert kinds(hard_swishes(model)) == before


def test_what_others_read_stays_beside_it():
    net = Net(3)
    source = net.conv("x", 6)
    clipped = gate(net, source)
    last = net.node("Div", net.node("Mul", source, clipped), number(net, 6.0))
    found = hard_swishes(net.model(last, net.node("Sigmoid", clipped)))
    assert kinds(found) == {"Conv": 1, "HardSwish": 1, "Add": 1, "Clip": 1, "Sigmoid": 1}
