"""Transposed convolutions of each channel by itself, as convolutions of the smaller image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.backends.onnxruntime.lower import layer_counts, lower
from fqbench.backends.onnxruntime.rewrite import is_surrogate_conv, rewrite
from fqbench.backends.transposed import phases
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph
from fqbench.quantize.calibrate import calibrate
from tests.support.enlarging import enlarging, noise


def run(model, image):
    session = open_session(model.SerializeToString(), session_options(threads=1, exact=True))
    return session.run(None, {"x": image})[0]


def written(model):
    return rewrite(model, {node.name for node in model.graph.node})


def test_a_line_of_four_taps_by_hand():
    """Rows 2 i are w1 x[i] + w3 x[i - 1], rows 2 i + 1 are w0 x[i + 1] + w2 x[i]."""
    weight = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 4, 1)
    found, pads = phases(weight, [2, 1], [1, 0])
    assert pads == [1, 0, 1, 0]
    np.testing.assert_array_equal(found.reshape(2, 3), [[4, 2, 0], [0, 3, 1]])


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([(2, 2, 0), (4, 2, 1), (3, 3, 0), (6, 2, 2), (5, 3, 1)]), st.booleans())
def test_it_computes_the_same(form, relu):
    kernel, stride, pad = form
    model = enlarging(kernel=kernel, stride=stride, pad=pad, relu=relu)
    (image,) = noise((1, 2, 4, 5), 1)
    result = written(model)
    assert "ConvTranspose" not in {node.op_type for node in result.graph.node}
    np.testing.assert_allclose(run(result, image), run(model, image), atol=1e-5)


@pytest.mark.parametrize(
    "form",
    [
        {"kernel": 3},
        {"group": 1},
        {"stride": 1, "kernel": 3},
        {"auto_pad": "SAME_UPPER", "pad": 0, "kernel": 2},
        {"kernel": 3, "output_padding": [1, 1], "dilations": [1, 1]},
    ],
)
def test_others_stay(form):
    model = enlarging(**form)
    assert "ConvTranspose" in {node.op_type for node in written(model).graph.node}


def test_in_integers_it_is_near_float_and_counts_as_no_layer():
    model = enlarging(channels=8, size=(8, 6))
    images = noise((1, 2, 8, 6), 8)
    record = calibrate(model, [(image,) for image in images], "search")
    lowered = lower(model, record)
    graph = Graph(lowered)
    (stand_in,) = (n for n in lowered.graph.node if n.name == "up")
    assert stand_in.op_type == "Conv"
    assert graph.producer[stand_in.input[0]].op_type == "DequantizeLinear"
    assert layer_counts(lowered) == (2, 2)
    assert not any(map(is_surrogate_conv, graph.layers()))
    wanted, found = run(model, images[0]), run(lowered, images[0])
    assert np.abs(found - wanted).mean() < 0.05 * np.abs(wanted).mean()
