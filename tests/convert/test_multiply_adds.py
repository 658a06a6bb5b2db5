"""Multiply-adds, by hand."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fqbench.convert.multiply_adds import multiply_adds


def model(operator, left, right, result, **attributes):
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w"], ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, left)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, result)],
        [numpy_helper.from_array(np.zeros(right, np.float32), "w")],
    )
    return helper.make_model(graph)


@pytest.mark.parametrize(
    ("made", "count"),
    [
        # 8 channels of 5 x 5 places, each of 3 channels x 3 x 3.
        (model("Conv", [1, 3, 5, 5], [8, 3, 3, 3], [1, 8, 5, 5]), 8 * 25 * 27),
        # Depthwise: each channel reads itself only.
        (model("Conv", [1, 8, 6, 6], [8, 1, 3, 3], [1, 8, 3, 3], group=8), 8 * 9 * 9),
        (model("ConvTranspose", [1, 4, 3, 3], [4, 2, 2, 2], [1, 2, 6, 6]), 4 * 9 * 2 * 4),
        (model("Gemm", [2, 7], [7, 5], [2, 5]), 2 * 7 * 5),
        (model("Gemm", [7, 2], [7, 5], [2, 5], transA=1), 2 * 7 * 5),
        (model("MatMul", [3, 4, 7], [7, 5], [3, 4, 5]), 3 * 4 * 7 * 5),
        (model("Add", [1, 3], [1, 3], [1, 3]), 0),
    ],
)
def test_count(made, count):
    assert multiply_adds(made) == count


def test_a_layer_of_unknown_shape_counts_as_none():
    made = model("MatMul", [3, 7], [7, 5], [3, 5])
    made.graph.node.append(helper.make_node("MatMul", ["y", "w"], ["z"]))
    assert multiply_adds(made) == 105
    assert isinstance(made, onnx.ModelProto)
