"""Which convolutions stay in float on Paddle for what is added to them."""

import numpy as np
import pytest

from fqbench.backends.paddle.float_sums import CLIPPED_SUM, LOSES_SIGN, float_sums
from fqbench.graph.graph import Graph
from tests.support.onnx_graphs import Net

SHAPE = (1, 4, 8, 8)


def relu(net: Net, source: str) -> str:
    return net.node("Relu", source)


def pooled(net: Net, source: str) -> str:
    return net.node("MaxPool", relu(net, source), kernel_shape=[3, 3], pads=[1] * 4)


def averaged(net: Net, source: str) -> str:
    return net.average(relu(net, source), 3, strides=[1, 1], pads=[1] * 4)


ADDED = {
    "relu": relu,
    "relu6": Net.clip,
    "clip to the largest": lambda net, source: net.clip(source, 0.0, np.inf),
    "pooled": pooled,
    "averaged": averaged,
}


def found(added, behind):
    """The reason of the convolution that ``added`` is added to, ``behind`` the sum."""
    net = Net(0, SHAPE)
    other = added(net, net.conv("x", 4))
    convolution = net.conv(other, 4)
    model = net.model(behind(net, net.node("Add", convolution, other)))
    reasons = float_sums(Graph(model))
    assert reasons.keys() <= {f"n_{convolution}"}
    return reasons.get(f"n_{convolution}")


def nothing(net: Net, source: str) -> str:
    return source


@pytest.mark.parametrize("added", ADDED.values(), ids=ADDED)
def test_a_sum_that_can_be_negative_is_not_written_in_codes_that_cannot(added):
    assert found(added, nothing) == LOSES_SIGN
    assert found(added, lambda net, source: net.silu(source)) == LOSES_SIGN
    assert found(added, lambda net, source: net.clip(source, -1.0, 1.0)) == LOSES_SIGN
    assert found(added, relu) is None
    assert found(added, Net.clip) == CLIPPED_SUM


@pytest.mark.parametrize(
    "added", [nothing, Net.silu, lambda net, source: net.clip(source, -1.0, 6.0)]
)
def test_a_sum_with_what_can_be_negative_folds(added):
    assert found(added, nothing) is None


def test_a_sum_that_more_than_its_relu_reads_is_written_before_it():
    net = Net(0, SHAPE)
    other = relu(net, net.conv("x", 4))
    total = net.node("Add", net.conv(other, 4), other)
    model = net.model(net.conv(relu(net, total), 4), net.conv(total, 4))
    assert list(float_sums(Graph(model)).values()) == [LOSES_SIGN]


def test_a_constant_is_no_part_of_a_sum():
    net = Net(0, SHAPE)
    biased = net.node("Add", net.conv("x", 4), net.constant("bias", np.ones((4, 1, 1), np.float32)))
    assert float_sums(Graph(net.model(net.clip(biased)))) == {}
