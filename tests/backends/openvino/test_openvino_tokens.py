"""Layers of tokens without reshapes: the same values, and each layer one kernel of OpenVINO."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from fqbench.backends.openvino.executed import executed
from fqbench.backends.openvino.lower import lower
from fqbench.backends.openvino.mend import mended
from fqbench.backends.openvino.runtime import compiled, runner
from fqbench.backends.openvino.tokens import token_layers, with_tokens
from fqbench.convert.canonical import canonicalize
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph
from fqbench.quantize.between import float_operators
from fqbench.quantize.calibrate import calibrate
from fqbench.saturation.probe import saturates
from tests.support.onnx_graphs import Net
from tests.support.openvino import needs_openvino
from tests.support.transformers import Transformer


def transformer(**how):
    net = Transformer(**how)
    return net, canonicalize(net.model(), (1, 3, net.side, net.side))


def run(model, feed):
    session = open_session(model.SerializeToString(), session_options(threads=1))
    return session.run(None, {"x": feed[0]})[0]


def test_every_layer_of_tokens_is_a_product_of_tokens():
    net, model = transformer()
    found = token_layers(Graph(model))
    assert len(found) == 8  # four in each block; the head reads a single row
    changed = with_tokens(model, found)
    onnx.checker.check_model(changed, full_check=True)
    kinds = [node.op_type for node in changed.graph.node]
    assert kinds.count("MatMul") == 8 + 2 * 2
    assert kinds.count("Gemm") == 1
    assert kinds.count("Reshape") == [n.op_type for n in net.nodes].count("Reshape")
    image = net.images(1)[0]
    np.testing.assert_allclose(run(changed, image), run(model, image), rtol=1e-3, atol=1e-4)


def test_what_is_no_layer_of_tokens_stays():
    net = Net(1, (1, 3, 4, 4))
    flat = net.node("Flatten", net.conv("x", 4), channels=64)
    model = net.model(net.gemm(flat, 5))
    assert token_layers(Graph(model)) == []
    assert with_tokens(model, []) == model


@pytest.mark.slow
@needs_openvino
@pytest.mark.parametrize("fused", [True, False])
def test_openvino_multiplies_integers_in_every_layer_of_tokens(fused):
    net, model = transformer(fused=fused)
    images = net.images(8)
    record = calibrate(model, images, "mse", saturates=False)
    assert record.float_layers == {}
    made = compiled(lower(model, record).SerializeToString(), 1)
    assert sum(node.is_int8_layer for node in executed(made)) == 10
    if saturates("openvino"):
        pytest.skip("8-bit products saturate on this CPU")
    wanted = np.array([run(model, image) for image in images])
    found = np.array([runner(made).run(image)[0] for image in images])
    error = np.square(found - wanted).sum() / np.square(wanted - wanted.mean(axis=0)).sum()
    assert 0 < error < 0.05


@needs_openvino
def test_products_of_activations_multiply_integers_where_they_are_asked_to():
    net, model = transformer()
    images = net.images(8)
    record = calibrate(model, images, "mse", saturates=False)
    products = tuple(node.name for node in Graph(model).products())
    assert len(products) == 4
    plain, asked = lower(model, record), lower(model, replace(record, products=products))
    assert "4 product of two activations" in float_operators(plain)
    assert not any("product" in kind for kind in float_operators(asked))
    pairs = [node.output[0] for node in asked.graph.node if node.op_type == "QuantizeLinear"]
    known = [node.output[0] for node in plain.graph.node if node.op_type == "QuantizeLinear"]
    assert len(pairs) == len(known) + 2 * len(products)
    made = compiled(asked.SerializeToString(), 1)
    # They are no layers.
    assert sum(node.is_int8_layer for node in executed(made)) == 10
    wanted = np.array([run(model, image) for image in images])
    found = np.array([runner(made).run(image)[0] for image in images])
    error = np.square(found - wanted).sum() / np.square(wanted - wanted.mean(axis=0)).sum()
    assert 0 < error < 0.08


@needs_openvino
def test_openvino_computes_the_mended_graph():
    net, model = transformer()
    image = net.images(1)[0]
    made = compiled(mended(model).SerializeToString(), 1)
    np.testing.assert_allclose(runner(made).run(image)[0], run(model, image), rtol=1e-3, atol=1e-4)
