"""Graphs of one operator, or of few, behind a convolution."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPE = (1, 4, 8, 8)

Constants = dict[str, np.ndarray]


def graph(
    nodes: list[onnx.NodeProto], outputs: list[str], constants: Constants, opset: int
) -> onnx.ModelProto:
    """A 1x1 convolution of ``x`` writes ``c``, which ``nodes`` read."""
    random = np.random.default_rng(3)
    weights = {
        "weight": random.normal(0, 1, (4, 4, 1, 1)).astype(np.float32),
        "bias": random.normal(0, 1, 4).astype(np.float32),
        **constants,
    }
    first = helper.make_node("Conv", ["x", "weight", "bias"], ["c"], "first", kernel_shape=[1, 1])
    model = helper.make_model(
        helper.make_graph(
            [first, *nodes],
            "case",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8 if opset < 19 else 9,
    )
    return onnx.shape_inference.infer_shapes(model)


def one(kind: str, *constants: object, opset: int = 17, **attributes: object) -> onnx.ModelProto:
    """``kind`` of ``c`` and ``constants``; None is an input that is left out."""
    named = {f"k{i}": np.asarray(v) for i, v in enumerate(constants) if v is not None}
    inputs = ["c", *("" if v is None else f"k{i}" for i, v in enumerate(constants))]
    return graph([helper.make_node(kind, inputs, ["y"], "op", **attributes)], ["y"], named, opset)


def f(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def i(*values: int) -> np.ndarray:
    return np.array(values, np.int64)
