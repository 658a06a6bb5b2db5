"""Operators of transformers, and of what reads images at computed places or step by step."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper

from tests.support.operator_graphs import f, graph, i, one


def model_cases() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Name and graph of each."""
    yield from _of_transformers()
    yield from _places()
    yield from _recurrent()


def _of_transformers() -> Iterator[tuple[str, onnx.ModelProto]]:
    scale = np.linspace(1, 2, 8, dtype=np.float32)
    yield "LayerNormalization without bias", one("LayerNormalization", scale, epsilon=1e-3)
    whole = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    yield "LayerNormalization of two axes", one("LayerNormalization", whole, whole, axis=2)
    for opset, size in ((18, 2), (21, 4)):
        values = np.linspace(1, 2, size, dtype=np.float32)
        yield (
            f"GroupNormalization of opset {opset}",
            one("GroupNormalization", values, -values, opset=opset, num_groups=2),
        )
    yield "LpNormalization", one("LpNormalization", axis=1, p=2)
    yield "MeanVarianceNormalization", one("MeanVarianceNormalization", axes=[0, 2, 3])
    constants = {
        name: np.float32(value)
        for name, value in {"root": 2**0.5, "one": 1, "half": 0.5, "cubed": 0.044715}.items()
    }
    by_error = [
        helper.make_node("Div", ["c", "root"], ["d"], "d"),
        helper.make_node("Erf", ["d"], ["e"], "e"),
        helper.make_node("Add", ["e", "one"], ["a"], "a"),
        helper.make_node("Mul", ["c", "a"], ["m"], "m"),
        helper.make_node("Mul", ["m", "half"], ["y"], "y"),
    ]
    yield "Gelu of Erf", graph(by_error, ["y"], constants, 17)
    by_tangent = [
        helper.make_node("Pow", ["c", "three"], ["p"], "p"),
        helper.make_node("Mul", ["p", "cubed"], ["q"], "q"),
        helper.make_node("Add", ["c", "q"], ["s"], "s"),
        helper.make_node("Mul", ["s", "slope"], ["t"], "t"),
        helper.make_node("Tanh", ["t"], ["u"], "u"),
        helper.make_node("Add", ["u", "one"], ["v"], "v"),
        helper.make_node("Mul", ["c", "v"], ["w"], "w"),
        helper.make_node("Mul", ["w", "half"], ["y"], "y"),
    ]
    constants |= {"three": np.float32(3), "slope": np.float32((2 / np.pi) ** 0.5)}
    yield "Gelu of Tanh", graph(by_tangent, ["y"], constants, 17)
    scores = [
        helper.make_node("Transpose", ["c"], ["k"], "k", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["c", "k"], ["s"], "s"),
        helper.make_node("Mul", ["s", "factor"], ["f"], "f"),
        helper.make_node("Softmax", ["f"], ["p"], "p", axis=-1),
        helper.make_node("MatMul", ["p", "c"], ["y"], "y"),
    ]
    yield "Attention", graph(scores, ["y"], {"factor": np.float32(8**-0.5)}, 17)
    tokens = [
        helper.make_node("Reshape", ["c", "shape"], ["t"], "t"),
        helper.make_node("Transpose", ["t"], ["u"], "u", perm=[0, 2, 1]),
        helper.make_node("Concat", ["class", "u"], ["y"], "op", axis=1),
    ]
    constants = {"shape": i(1, 4, 64), "class": f(1, 2, 3, 4).reshape(1, 1, 4)}
    yield "Concat of a class token", graph(tokens, ["y"], constants, 17)
    both = helper.make_node("Einsum", ["c", "c"], ["y"], "op", equation="nchw,nkhw->nck")
    yield "Einsum of two", graph([both], ["y"], {}, 17)
    left = np.random.default_rng(6).normal(0, 1, (5, 8)).astype(np.float32)
    from_left = helper.make_node("MatMul", ["k", "c"], ["y"], "op")
    yield "MatMul from the left", graph([from_left], ["y"], {"k": left}, 17)


def _places() -> Iterator[tuple[str, onnx.ModelProto]]:
    """What reads an image at computed places."""
    random = np.random.default_rng(7)
    grid = random.uniform(-1.2, 1.2, (1, 5, 6, 2)).astype(np.float32)
    for padding in ("zeros", "border", "reflection"):
        for corners in (0, 1):
            how = {"padding_mode": padding, "align_corners": corners}
            yield f"GridSample {padding} {corners}", one("GridSample", grid, mode="bilinear", **how)
    yield "GridSample nearest", one("GridSample", grid, mode="nearest")
    weight = random.normal(0, 1, (4, 4, 3, 3)).astype(np.float32)
    offset = random.normal(0, 1, (1, 18, 8, 8)).astype(np.float32)
    yield (
        "DeformConv",
        one("DeformConv", weight, offset, opset=19, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    )
    line = [
        helper.make_node("Reshape", ["c", "shape"], ["l"], "l"),
        helper.make_node("Conv", ["l", "w", "b"], ["y"], "op", kernel_shape=[3], pads=[1, 1]),
    ]
    constants = {"shape": i(1, 4, 64), "w": weight[..., 0], "b": f(1, 2, 3, 4)}
    yield "Conv of a line", graph(line, ["y"], constants, 17)
    deep = [
        helper.make_node("Reshape", ["c", "shape"], ["l"], "l"),
        helper.make_node("Conv", ["l", "w"], ["y"], "op", kernel_shape=[1, 3, 3]),
    ]
    constants = {"shape": i(1, 4, 2, 4, 8), "w": weight[:, :, None]}
    yield "Conv of three axes", graph(deep, ["y"], constants, 17)


def _recurrent() -> Iterator[tuple[str, onnx.ModelProto]]:
    random = np.random.default_rng(8)
    for kind, gates, also in (("LSTM", 4, {}), ("GRU", 3, {"linear_before_reset": 1})):
        for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
            sizes = {
                "w": (count, gates * 5, 8),
                "r": (count, gates * 5, 5),
                "b": (count, gates * 10),
            }
            constants = {n: random.normal(0, 0.3, s).astype(np.float32) for n, s in sizes.items()}
            nodes = [
                helper.make_node("Reshape", ["c", "shape"], ["l"], "l"),
                helper.make_node(
                    *(kind, ["l", "w", "r", "b"], ["y", "last"], "op"),
                    hidden_size=5,
                    direction=direction,
                    **also,
                ),
            ]
            constants["shape"] = i(32, 1, 8)
            yield f"{kind} {direction}", graph(nodes, ["y", "last"], constants, 17)
