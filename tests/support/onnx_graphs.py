"""Small ONNX graphs with random weights, and quantization records from their own values."""

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fqbench.graph.graph import Graph
from fqbench.quantize.algorithms import Range
from fqbench.quantize.calibrate import weight_limits
from fqbench.quantize.record import Quantization
from tests.support.qdq_reference import evaluate


class Net:
    """Writes a graph node by node; each method returns the name of the tensor it made."""

    def __init__(self, seed: int = 0, shape: tuple[int, ...] = (1, 3, 16, 16)) -> None:
        self.random = np.random.default_rng(seed)
        self.shape = shape
        self.channels = {"x": shape[1]}
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, np.ndarray] = {}

    def node(self, kind: str, *inputs: str, channels: int | None = None, **attributes) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], f"n_{name}", **attributes))
        self.channels[name] = self.channels[inputs[0]] if channels is None else channels
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        self.weights[name] = value
        return name

    def conv(self, source: str, outputs: int, size: int = 3, *, groups: int = 1, **attributes):
        inputs = self.channels[source] // groups
        spread = (2.0 / (inputs * size * size)) ** 0.5
        weight = self.random.normal(0, spread, (outputs, inputs, size, size)).astype(np.float32)
        bias = self.random.normal(0, 0.3, outputs).astype(np.float32)
        index = len(self.nodes)
        names = [self.constant(f"w{index}", weight), self.constant(f"b{index}", bias)]
        attributes.setdefault("pads", [size // 2] * 4)
        kernel = [size, size]
        return self.node(
            "Conv",
            source,
            *names,
            channels=outputs,
            group=groups,
            kernel_shape=kernel,
            **attributes,
        )

    def clip(self, source: str, low: float = 0.0, high: float = 6.0) -> str:
        limits = [
            self.constant(f"{source}_{side}", np.float32(value))
            for side, value in (("low", low), ("high", high))
        ]
        return self.node("Clip", source, *limits)

    def silu(self, source: str) -> str:
        return self.node("Mul", source, self.node("Sigmoid", source))

    def average(self, source: str, size: int = 2, **attributes) -> str:
        attributes.setdefault("strides", [size, size])
        return self.node("AveragePool", source, kernel_shape=[size, size], **attributes)

    def split(self, source: str) -> tuple[str, str]:
        """Both halves of the channels."""
        first = self.channels[source] // 2
        names = [f"split{len(self.nodes)}_{side}" for side in (0, 1)]
        sizes = self.constant(f"{names[0]}_sizes", np.array([first, self.channels[source] - first]))
        self.nodes.append(
            helper.make_node("Split", [source, sizes], names, f"n_{names[0]}", axis=1)
        )
        self.channels.update(zip(names, (first, self.channels[source] - first), strict=True))
        return names[0], names[1]

    def concat(self, *sources: str) -> str:
        """Channels of all, one after the other."""
        return self.node("Concat", *sources, axis=1, channels=sum(map(self.channels.get, sources)))

    def shuffle(self, source: str, side: int, groups: int = 2) -> str:
        """Channels of ``groups`` in turns, of an image of ``side``."""
        channels = self.channels[source]
        split = [1, groups, channels // groups, side, side]
        shapes = {"split": split, "whole": [1, channels, side, side]}
        names = {k: self.constant(f"{source}_{k}", np.array(v)) for k, v in shapes.items()}
        parted = self.node("Reshape", source, names["split"])
        turned = self.node("Transpose", parted, perm=[0, 2, 1, 3, 4])
        return self.node("Reshape", turned, names["whole"])

    def resize(self, source: str) -> str:
        scales = self.constant(f"{source}_scales", np.array([1, 1, 2, 2], np.float32))
        return self.node(
            "Resize",
            source,
            "",
            scales,
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )

    def gemm(self, source: str, outputs: int) -> str:
        weight = self.random.normal(0, 0.3, (outputs, self.channels[source])).astype(np.float32)
        index = len(self.nodes)
        names = [
            self.constant(f"w{index}", weight),
            self.constant(f"b{index}", np.zeros(outputs, np.float32)),
        ]
        return self.node("Gemm", source, *names, channels=outputs, transB=1)

    def image(self) -> np.ndarray:
        return self.random.normal(0, 1, self.shape).astype(np.float32)

    def model(self, *outputs: str, opset: int = 13, free_batch: bool = False) -> onnx.ModelProto:
        dims = ["N", *self.shape[1:]] if free_batch else list(self.shape)
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in self.weights.items()],
        )
        # Of opset 11 to 17 all are of this IR version or later.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 8
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def anchors(net: Net, head: str, count: int, side: int) -> str:
    """Rows [1, count · side², numbers] of a head [1, count · numbers, side, side], as YOLOv5's."""
    numbers = net.channels[head] // count
    shapes = {
        "parted": [1, count, numbers, side, side],
        "rows": [1, count * side * side, numbers],
    }
    names = {k: net.constant(f"{head}_{k}", np.array(v)) for k, v in shapes.items()}
    parted = net.node("Reshape", head, names["parted"])
    turned = net.node("Transpose", parted, perm=[0, 1, 3, 4, 2])
    return net.node("Sigmoid", net.node("Reshape", turned, names["rows"]))


def bright(channels: int = 16) -> tuple[Net, onnx.ModelProto]:
    """Three convolutions whose weights and results are all positive, and their graph."""
    net = Net(5, (1, channels, 12, 12))
    name = "x"
    for _ in range(2):
        name = net.node("Relu", net.conv(name, channels))
    last = net.conv(name, channels)
    for key, weight in net.weights.items():
        if key.startswith("w"):
            weight[:] = np.abs(weight) + 0.5 * np.abs(weight).max()
    return net, net.model(net.node("Relu", last))


def record(
    model: onnx.ModelProto,
    image: np.ndarray,
    *,
    unknown: Iterable[str] = (),
    float_layers: Iterable[str] = (),
) -> Quantization:
    """A record of the least and largest values that ``model`` has on ``image`` itself."""
    values = {"x": image, **evaluate(model, {"x": image})}
    return Quantization(
        method="offline",
        algorithm="abs_max",
        images=1,
        ranges={name: range_of(v) for name, v in values.items() if name not in set(unknown)},
        weight_amax=weight_limits(Graph(model)),
        float_layers=dict.fromkeys(float_layers, "a reason"),
        weights={layer.name: layer.input[1] for layer in Graph(model).layers()},
    )


def range_of(values: np.ndarray) -> Range:
    """From the least to the largest value, zero between them."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    return Range(low, high, max(-low, high))
