"""Enlarging by copies: where ONNX Runtime's Resize repeats each value, and only there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.backends.onnxruntime.rewrite import rewrite
from fqbench.graph.executor import open_session, session_options
from tests.support.onnx_graphs import Net

MAPPINGS = ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


def resized(net, scales, mapping, rounding, mode="nearest"):
    constant = net.constant("scales", np.array([1, 1, *scales], np.float32))
    return net.node(
        "Resize",
        "x",
        "",
        constant,
        mode=mode,
        nearest_mode=rounding,
        coordinate_transformation_mode=mapping,
    )


def run(model, image):
    return open_session(model.SerializeToString(), session_options(1, exact=True)).run(
        None, {"x": image}
    )[0]


def written(model):
    return rewrite(model, {node.name for node in model.graph.node})


@settings(deadline=None, max_examples=80)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.sampled_from(MAPPINGS),
    st.sampled_from(ROUNDINGS),
)
def test_what_is_written_equals_the_resize(shape, scales, mapping, rounding):
    net = Net(3, (1, *shape))
    model, image = net.model(resized(net, scales, mapping, rounding)), net.image()
    np.testing.assert_array_equal(run(written(model), image), run(model, image))


@pytest.mark.parametrize("scales", [(2, 2), (3, 1), (2, 4)])
@pytest.mark.parametrize(
    ("mapping", "rounding"), [("asymmetric", "floor"), ("half_pixel", "round_prefer_floor")]
)
def test_repeating_is_copying(scales, mapping, rounding):
    net = Net(3, (1, 4, 3, 5))
    model, image = net.model(resized(net, scales, mapping, rounding)), net.image()
    kinds = [node.op_type for node in written(model).graph.node]
    assert kinds == ["Transpose", "Reshape", "Expand", "Reshape", "Transpose"]
    repeated = image.repeat(scales[0], axis=2).repeat(scales[1], axis=3)
    np.testing.assert_array_equal(run(written(model), image), repeated)


@pytest.mark.parametrize(
    ("shape", "scales", "mapping", "rounding", "mode"),
    [
        ((1, 4, 4, 4), (1.5, 1.5), "asymmetric", "floor", "nearest"),
        ((1, 4, 4, 4), (0.5, 0.5), "asymmetric", "floor", "nearest"),
        ((1, 4, 4, 4), (2, 2), "half_pixel", "floor", "nearest"),
        ((1, 4, 4, 4), (2, 2), "asymmetric", "ceil", "nearest"),
        ((1, 4, 4, 4), (2, 2), "half_pixel", "round_prefer_floor", "linear"),
        ((2, 4, 4, 4), (2, 2), "asymmetric", "floor", "nearest"),
    ],
)
def test_any_other_resize_stays(shape, scales, mapping, rounding, mode):
    net = Net(3, shape)
    model = net.model(resized(net, scales, mapping, rounding, mode))
    assert written(model) == model
