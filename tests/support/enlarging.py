"""A small network that enlarges by a transposed convolution, and noise to show it."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def enlarging(channels=3, size=(4, 5), kernel=4, stride=2, pad=1, relu=True, group=None, **more):
    """Convolution, transposed convolution, Relu, convolution."""
    rng = np.random.default_rng(7)
    group = channels if group is None else group
    ends = [(n - 1) * stride + kernel - 2 * pad for n in size]
    weights = {
        "first": rng.normal(size=(channels, 2, 3, 3)) / 4,
        "w": rng.normal(size=(channels, channels // group, kernel, kernel)) / 2,
        "b": rng.normal(size=channels) / 4,
        "last": rng.normal(size=(4, channels, 1, 1)),
    }
    padded = {} if "auto_pad" in more else {"auto_pad": "NOTSET", "pads": [pad] * 4}
    form = {"strides": [stride] * 2, "group": group, **padded, **more}
    behind = "r" if relu else "t"
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["f"], "c0", pads=[1] * 4, kernel_shape=[3, 3]),
        helper.make_node("Relu", ["f"], ["a"], "relu0"),
        helper.make_node("ConvTranspose", ["a", "w", "b"], ["t"], "up", **form),
        *([helper.make_node("Relu", ["t"], ["r"], "relu1")] if relu else []),
        helper.make_node("Conv", [behind, "last"], ["l"], "c1", kernel_shape=[1, 1]),
        helper.make_node("Relu", ["l"], ["z"], "relu2"),
    ]
    graph = helper.make_graph(
        nodes,
        "enlarging",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, *size])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 4, *ends])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def noise(shape, count):
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape).astype(np.float32) for _ in range(count)]
