"""A normalization inside of a model, found by its first operators."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fqbench.propose.inside import normalization_inside
from fqbench.vision.normalization import PIXELS, UNIT
from tests.support.tiny_spec import classifier, of_bytes

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def model(*steps: tuple[str, object]) -> onnx.ModelProto:
    """Operators with a constant each, one after the other, before a convolution."""
    nodes, weights, tensor = [], [], "x"
    for number, (kind, value) in enumerate(steps):
        constant = np.asarray(value, np.float32)
        shaped = constant.reshape(1, -1, 1, 1) if constant.size > 1 else constant
        weights.append(numpy_helper.from_array(shaped, f"c{number}"))
        nodes.append(helper.make_node(kind, [tensor, f"c{number}"], [f"t{number}"]))
        tensor = f"t{number}"
    weights.append(numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w"))
    nodes.append(helper.make_node("Conv", [tensor, "w"], ["y"]))
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 6, 6])
    return helper.make_model(helper.make_graph(nodes, "g", [image], [out], weights))


@pytest.mark.parametrize(
    ("steps", "expects", "color"),
    [
        ([("Div", 255.0)], PIXELS, None),
        ([("Mul", 1 / 127.5), ("Sub", 1.0)], PIXELS, None),
        ([("Sub", 127.5), ("Div", 127.5)], PIXELS, None),
        ([("Div", 255.0), ("Sub", MEAN), ("Div", STD)], PIXELS, "rgb"),
        ([("Div", 255.0), ("Sub", MEAN[::-1]), ("Div", STD[::-1])], PIXELS, "bgr"),
        ([("Sub", (103.939, 116.779, 123.68))], PIXELS, "bgr"),
        ([("Sub", MEAN), ("Div", STD)], UNIT, "rgb"),
        ([("Mul", 2.0), ("Sub", 1.0)], UNIT, None),
    ],
)
def test_the_pixels_that_are_meant(steps: list, expects: object, color: str | None) -> None:
    found = normalization_inside(model(*steps), "x")
    assert found is not None
    assert (found.expects, found.color, found.sureness) == (expects, color, "sure")


@pytest.mark.parametrize("steps", [[], [("Mul", 1e-4)], [("Add", 1000.0)], [("Div", 0.0)]])
def test_what_is_no_usual_normalization_is_none(steps: list) -> None:
    assert normalization_inside(model(*steps), "x") is None


def test_it_is_followed_through_casts_and_transposes() -> None:
    found = normalization_inside(of_bytes(), "pixels")
    assert found is not None
    assert found.expects == PIXELS


def test_a_model_that_begins_with_a_layer_has_none() -> None:
    assert normalization_inside(classifier(), "x") is None
