"""What of a transformer stays in float between its layers, counted by hand."""

import numpy as np
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


def test_what_multiplies_by_constants_and_is_no_layer():
    net = Net()
    net.constant("several", np.ones((3, 16, 4), np.float32))
    net.constant("w", np.ones((3, 4, 2, 2), np.float32))
    product = net.node("MatMul", "x", "several")
    transposed = net.node(
        "ConvTranspose", "x", net.constant("w", np.ones((3, 4, 2, 2), np.float32))
    )
    model = net.model(product, transposed)
    assert set(float_operators(model)) == {"1 product by constants", "1 transposed convolution"}
    assert set(float_operators(model, [f"n_{product}"])) == {"1 transposed convolution"}
