"""What accuracy control takes a model to lose."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fqbench.methods.nncf.validation import Validation
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.registry import metrics
from fqbench.tune.error import relative_error
from fqbench.vision.geometry import Geometry

FEEDS = [np.array([[1.0, 3.0]], np.float32), np.array([[3.0, 7.0]], np.float32)]
"""Their channels' means are 2 and 5: deviations of 1, 2, 1, 2, which squared are 10."""

NOWHERE = Geometry((1, 1), (1.0, 1.0), (0.0, 0.0))


def identity() -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "net", values[:1], values[1:]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.fixture(scope="module")
def validation() -> Validation:
    images = [([feed], NOWHERE) for feed in FEEDS]
    return Validation.of(identity(), images, Logits(kind="logits"), (1, 1), "top1")


def test_fp32_loses_nothing(validation: Validation) -> None:
    assert validation.points(lambda feed: list(feed), [0, 1]) == (100.0, [100.0, 100.0])


def test_what_is_lost_is_the_error_in_points(validation: Validation) -> None:
    off = np.array([[1.0, 0.0]], np.float32)

    def run(feed):
        return [feed[0] + off * (feed[0][0, 0] == 1.0)]

    lost = metrics()["top1"].points_lost
    all_of_them, each = validation.points(run, [0, 1])
    # A squared difference of 1 of 10; the first image has half of the deviation.
    assert all_of_them == pytest.approx(100.0 - lost(0.1))
    assert each == pytest.approx([100.0 - lost(0.2), 100.0])
    assert validation.points(run, [1]) == (100.0, [100.0])
    found = [run([feed]) for feed in FEEDS]
    assert relative_error([[feed] for feed in FEEDS], found) == pytest.approx(0.1)
