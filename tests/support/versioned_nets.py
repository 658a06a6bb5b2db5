"""The same small networks in any opset, each operator as that opset writes it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPE = (1, 3, 8, 8)
OPSETS = tuple(range(7, 25))


class _Writer:
    """Writes nodes; what moved from attributes to inputs in an opset goes where it belongs."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.random = np.random.default_rng(opset)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        """Returns the name of the first output; the others end in their number."""
        name = f"{kind.lower()}{len(self.nodes)}"
        names = [name, *(f"{name}_{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, list(inputs), names, f"n_{name}", **attributes))
        return name

    def constant(self, value: object, kind: type = np.int64) -> str:
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    def moved(self, kind: str, source: str, opset: int, /, *, axis: int | None = None, **values):
        """A node whose ``values`` are attributes before ``opset`` and inputs from it on."""
        fixed = {} if axis is None else {"axis": axis}
        outputs = len(values["split"]) if kind == "Split" else 1
        if self.opset < opset:
            return self.node(kind, source, outputs=outputs, **fixed, **values)
        inputs = [
            self.constant(value, np.float32 if isinstance(value, float) else np.int64)
            for value in values.values()
        ]
        return self.node(kind, source, *inputs, outputs=outputs, **fixed)

    def conv(self, source: str, channels: int, outputs: int) -> str:
        weight = self.random.normal(0, 0.3, (outputs, channels, 3, 3)).astype(np.float32)
        bias = self.random.normal(0, 0.3, outputs)
        inputs = [self.constant(weight, np.float32), self.constant(bias, np.float32)]
        return self.node("Conv", source, *inputs, kernel_shape=[3, 3], pads=[1, 1, 1, 1])

    def enlarged(self, source: str) -> str:
        scales = [1.0, 1.0, 2.0, 2.0]
        if self.opset < 9:
            return self.node("Upsample", source, mode="nearest", scales=scales)
        given = self.constant(scales, np.float32)
        if self.opset == 9:
            return self.node("Upsample", source, given, mode="nearest")
        if self.opset == 10:
            return self.node("Resize", source, given, mode="nearest")
        mode = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        region = self.constant([], np.float32) if self.opset < 13 else ""
        return self.node("Resize", source, region, given, mode="nearest", **mode)

    def model(self, output: str, shape: list[int], ir: int) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(SHAPE))],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
            self.weights,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def ir_of(opset: int) -> int:
    """An IR version that files of ``opset`` have."""
    return {22: 10, 23: 11, 24: 12}.get(opset, 8 if opset > 14 else 4)


def classifier(opset: int, ir: int | None = None) -> onnx.ModelProto:
    """Convolutions and what usually lies between and after them, to logits [1, 5]."""
    net = _Writer(opset)
    statistics = [net.constant(np.linspace(0.5, 1.5, 8), np.float32) for _ in range(4)]
    name = net.node("BatchNormalization", net.conv("x", 3, 8), *statistics)
    name = net.moved("Clip", name, 11, min=0.0, max=6.0)
    name = net.node("MaxPool", name, kernel_shape=[2, 2], strides=[2, 2])
    name = net.enlarged(net.node("LeakyRelu", net.conv(name, 8, 8), alpha=0.1))
    first = net.moved("Split", name, 13, axis=1, split=[4, 4])
    name = net.node("Concat", f"{first}_1", first, axis=1)
    if opset < 11:
        name = net.node("Pad", name, pads=[0, 0, 1, 1, 0, 0, 1, 1])
    else:
        name = net.node("Pad", name, net.constant([0, 0, 1, 1, 0, 0, 1, 1]))
    name = net.moved("Slice", name, 10, starts=[1, 1], ends=[9, 9], axes=[2, 3])
    name = net.node("Add", name, net.node("Cast", net.conv(name, 8, 8), to=TensorProto.FLOAT))
    name = net.node("AveragePool", name, kernel_shape=[2, 2], strides=[2, 2])
    name = net.moved("ReduceMean", name, 18, axes=[2, 3])
    name = net.moved("Squeeze", name, 13, axes=[2, 3])
    name = net.moved("Unsqueeze", name, 13, axes=[2])
    name = net.node("Reshape", name, net.constant([1, -1]))
    weight = net.constant(net.random.normal(0, 0.03, (5, 8)), np.float32)
    bias = net.constant(net.random.normal(0, 0.3, 5), np.float32)
    name = net.node("Gemm", name, weight, bias, transB=1)
    return net.model(net.node("Softmax", name, axis=1), [1, 5], ir or ir_of(opset))


def activations(opset: int, ir: int, *kinds: str) -> onnx.ModelProto:
    """A convolution and operators of one tensor each, by name."""
    net = _Writer(opset)
    name = net.conv("x", 3, 4)
    for kind in kinds:
        parameters = {"BatchNormalization": [4] * 4, "RMSNormalization": [8]}.get(kind, [])
        name = net.node(
            kind, name, *(net.constant(np.full(n, 0.5), np.float32) for n in parameters)
        )
    return net.model(name, [1, 4, 8, 8], ir)


def with_functions(opset: int, ir: int) -> onnx.ModelProto:
    """A convolution and functions of the model's own, one inside of the other, as torch writes."""
    model = activations(opset, ir)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    gate = [helper.make_node("Sigmoid", ["a"], ["s"]), helper.make_node("Mul", ["a", "s"], ["b"])]
    twice = [
        helper.make_node("Gate", ["a"], ["g"], domain="own"),
        helper.make_node("Gate", ["g"], ["b"], domain="own"),
    ]
    for name, nodes in (("Gate", gate), ("Twice", twice)):
        model.functions.append(helper.make_function("own", name, ["a"], ["b"], nodes, opsets))
    model.opset_import.append(opsets[1])
    source = model.graph.output[0].name
    model.graph.node.append(helper.make_node("Twice", [source], ["y"], "n_twice", domain="own"))
    model.graph.output[0].name = "y"
    return model
