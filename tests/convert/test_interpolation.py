"""ONNX's Resize along an axis, held to ONNX's own reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from fqbench.convert.interpolation import Axis, Filter, matrix, nearest, positions

TRANSFORMATIONS = (
    "half_pixel",
    "pytorch_half_pixel",
    "asymmetric",
    "align_corners",
)


def reference(values: np.ndarray, scale: float, **how: object) -> np.ndarray:
    """What ONNX's reference makes of one axis."""
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], **how)
    graph = helper.make_graph(
        [node],
        "resize",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, values.shape),
            helper.make_tensor_value_info("scales", TensorProto.FLOAT, [1]),
        ],
        [helper.make_empty_tensor_value_info("y")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    feed = {"x": values, "scales": np.array([scale], np.float32)}
    return ReferenceEvaluator(model).run(None, feed)[0]


def comparable(axis: Axis, transformation: str) -> bool:
    """Whether the reference computes what ONNX's text says: for aligned corners, of whole sizes."""
    whole = axis.target == axis.size * axis.scale
    return axis.target > 1 and (whole or transformation != "align_corners")


def axis_of(size: int, scale: float) -> Axis:
    return Axis(size, int(np.floor(np.float32(size) * np.float32(scale))), scale)


@settings(deadline=None)
@given(
    st.integers(2, 9),
    st.sampled_from([0.5, 0.75, 1.25, 1.5, 2.0, 3.0]),
    st.sampled_from(TRANSFORMATIONS),
    st.sampled_from(["linear", "cubic"]),
    st.booleans(),
)
def test_matrix_is_that_of_the_reference(size, scale, transformation, mode, exclude):
    axis = axis_of(size, scale)
    if not comparable(axis, transformation):
        return
    values = np.random.default_rng(0).normal(size=size).astype(np.float32)
    how = {"mode": mode, "coordinate_transformation_mode": transformation}
    used = Filter(mode, exclude_outside=exclude and mode == "cubic")
    wanted = reference(values, scale, **how, exclude_outside=int(used.exclude_outside))
    found = matrix(axis, positions(axis, transformation), used) @ values
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@settings(deadline=None)
@given(
    st.integers(2, 9),
    st.sampled_from([0.5, 0.75, 1.25, 1.5, 2.0, 3.0]),
    st.sampled_from(TRANSFORMATIONS),
    st.sampled_from(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]),
)
def test_nearest_places_are_those_of_the_reference(size, scale, transformation, rounding):
    axis = axis_of(size, scale)
    if not comparable(axis, transformation):
        return
    values = np.arange(size, dtype=np.float32)
    how = {"coordinate_transformation_mode": transformation, "nearest_mode": rounding}
    wanted = reference(values, scale, mode="nearest", **how)
    found = nearest(positions(axis, transformation), size, rounding)
    np.testing.assert_array_equal(found, wanted.astype(np.int64))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("exclude", [False, True])
def test_antialiasing_averages_what_is_made_smaller(mode, exclude):
    values = np.random.default_rng(0).normal(size=16).astype(np.float32)
    axis = Axis(16, 6, 0.375)
    wanted = reference(values, 0.375, mode=mode, antialias=1, exclude_outside=int(exclude))
    used = Filter(mode, antialias=True, exclude_outside=exclude)
    found = matrix(axis, positions(axis, "half_pixel"), used) @ values
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_symmetric_half_pixels_are_those_of_the_reference(mode):
    """At one size: where a place is met exactly, the reference is a place off."""
    values = np.random.default_rng(0).normal(size=5).astype(np.float32)
    how = {"mode": mode, "coordinate_transformation_mode": "half_pixel_symmetric"}
    axis = axis_of(5, 0.7)
    found = matrix(axis, positions(axis, "half_pixel_symmetric"), Filter(mode)) @ values
    np.testing.assert_allclose(found, reference(values, 0.7, **how), atol=1e-5)


def test_rows_add_up_to_one():
    axis = Axis(7, 16, 16 / 7)
    for mode in ("linear", "cubic"):
        made = matrix(axis, positions(axis, "half_pixel"), Filter(mode))
        np.testing.assert_allclose(made.sum(axis=1), 1.0, atol=1e-6)


def test_a_doubled_axis_by_hand():
    axis = Axis(2, 4, 2.0)
    made = matrix(axis, positions(axis, "half_pixel"), Filter("linear"))
    np.testing.assert_allclose(made, [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])


def test_another_transformation_is_refused():
    with pytest.raises(ValueError, match="tf_crop_and_resize"):
        positions(Axis(2, 4, 2.0), "tf_crop_and_resize")
