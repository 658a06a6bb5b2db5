"""What of a transformer stays in float between its layers, counted by hand."""

import pytest

from fqbench.backends.onnxruntime.lower import lower
from fqbench.convert.canonical import canonicalize
from fqbench.quantize.between import float_operators
from fqbench.quantize.calibrate import calibrate
from tests.support.onnx_graphs import Net
from tests.support.transformers import Transformer


@pytest.mark.parametrize("lowered", [False, True])
def test_operators_between_the_layers_of_two_blocks(lowered):
    net = Transformer(depth=2)
    model = canonicalize(net.model(), (1, 3, net.side, net.side))
    if lowered:
        model = lower(model, calibrate(model, net.images(2), "abs_max"))
    found = float_operators(model)
    assert set(found) == {
        "5 LayerNormalization",
        "2 Softmax",
        "2 GELU",
        "4 product of two activations",
    }
    assert all(found.values())


def test_a_network_of_convolutions_has_none():
    net = Net()
    assert float_operators(net.model(net.node("Relu", net.conv("x", 4)))) == {}
