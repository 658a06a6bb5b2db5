"""Graphs of one operator each, behind a convolution: what conversions may get wrong.

Operators and attributes that exported models hold.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.support.model_operator_cases import model_cases
from tests.support.operator_graphs import f, graph, i, one

ENDED = "ends the process"
"""What is known of a conversion that does."""


def cases() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Name and graph of each."""
    yield from _resizes()
    yield from _splits()
    yield from _poolings()
    yield from _activations()
    yield from _reductions()
    yield from _moves()
    yield from _arithmetic()
    yield from _others()
    yield from model_cases()


def _resizes() -> Iterator[tuple[str, onnx.ModelProto]]:
    coordinates = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    for coordinate in coordinates:
        how = {"mode": "linear", "coordinate_transformation_mode": coordinate}
        yield f"Resize linear {coordinate}", one("Resize", None, f(1, 1, 2, 2), **how)
        yield f"Resize linear {coordinate} by 1.5", one("Resize", None, f(1, 1, 1.5, 1.5), **how)
        yield (
            f"Resize linear {coordinate} by sizes",
            one("Resize", None, None, i(1, 4, 12, 20), **how),
        )
        yield (
            f"Resize linear {coordinate} smaller",
            one("Resize", None, None, i(1, 4, 5, 3), **how),
        )
    for coordinate in ("half_pixel", "asymmetric", "align_corners"):
        for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
            how = {
                "mode": "nearest",
                "coordinate_transformation_mode": coordinate,
                "nearest_mode": rounding,
            }
            for scale in (2, 1.5):
                yield (
                    f"Resize nearest {coordinate} {rounding} by {scale}",
                    one("Resize", None, f(1, 1, scale, scale), **how),
                )
    yield "Resize cubic", one("Resize", None, f(1, 1, 2, 2), mode="cubic")
    cubic = {"mode": "cubic", "coordinate_transformation_mode": "align_corners"}
    yield "Resize cubic by sizes", one("Resize", None, None, i(1, 4, 5, 13), **cubic)
    yield (
        "Resize cubic without the outside",
        one("Resize", None, f(1, 1, 1.5, 1.5), mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5),
    )
    yield (
        "Resize linear antialias",
        one("Resize", None, None, i(1, 4, 3, 5), opset=18, mode="linear", antialias=1),
    )
    yield "Resize of two axes", one("Resize", None, f(2, 3), opset=18, mode="linear", axes=[2, 3])
    yield "Resize of the channels", one("Resize", None, None, i(1, 6, 8, 8), mode="linear")
    yield "Resize nearest smaller", one("Resize", None, f(1, 1, 0.5, 0.5))
    yield "Resize of the width", one("Resize", None, f(1, 1, 1, 2), mode="linear")
    rows = helper.make_node("Reshape", ["c", "shape"], ["rows"], "rows")
    longer = helper.make_node("Resize", ["rows", "", "scales"], ["y"], "op", mode="linear")
    constants = {"shape": i(1, 4, 64), "scales": f(1, 1, 2)}
    yield "Resize of a line", graph([rows, longer], ["y"], constants, 17)
    yield (
        "Resize with empty roi",
        one("Resize", f(), f(), i(1, 4, 16, 16), mode="linear"),
    )


def _splits() -> Iterator[tuple[str, onnx.ModelProto]]:
    parts = ["p0", "p1", "p2", "p3"]

    def split(reader: list[onnx.NodeProto], opset: int = 17, **how: object) -> onnx.ModelProto:
        sizes = {} if "num_outputs" in how else {"sizes": i(1, 1, 1, 1)}
        node = helper.make_node("Split", ["c", *sizes], parts, "op", axis=1, **how)
        return graph([node, *reader], ["y"], sizes, opset)

    def joined(order: list[str]) -> list[onnx.NodeProto]:
        return [helper.make_node("Concat", order, ["y"], "join", axis=1)]

    yield "Split read in order", split(joined(parts))
    yield "Split read backwards", split(joined(parts[::-1]))
    yield "Split of which the last is read", split([helper.make_node("Relu", ["p3"], ["y"], "r")])
    yield "Split subtracted backwards", split([helper.make_node("Sub", ["p2", "p0"], ["y"], "s")])
    yield "Split by num_outputs", split(joined(parts), 18, num_outputs=4)
    pair = helper.make_node("Split", ["c", "sizes"], ["p0", "p1"], "op", axis=1)
    apart = {"sizes": i(1, 3)}
    yield "Split unevenly", graph([pair, *joined(["p1", "p0"])], ["y"], apart, 17)
    halves = helper.make_node("Split", ["c", "sizes"], ["p0", "p1"], "op", axis=-1)
    product = helper.make_node("Mul", ["p1", "p0"], ["y"], "m")
    yield "Split along the last axis", graph([halves, product], ["y"], {"sizes": i(4, 4)}, 17)


def _poolings() -> Iterator[tuple[str, onnx.ModelProto]]:
    three = {"kernel_shape": [3, 3], "strides": [2, 2]}
    for counted in (0, 1):
        how = {**three, "pads": [1, 1, 1, 1], "count_include_pad": counted}
        yield f"AveragePool count_include_pad {counted}", one("AveragePool", **how)
        yield f"AveragePool ceil {counted}", one("AveragePool", **how, ceil_mode=1)
    yield "AveragePool uneven pads", one("AveragePool", **three, pads=[0, 0, 1, 1])
    yield "AveragePool SAME_UPPER", one("AveragePool", **three, auto_pad="SAME_UPPER")
    yield "MaxPool", one("MaxPool", **three, pads=[1, 1, 1, 1])
    yield "MaxPool ceil", one("MaxPool", **three, ceil_mode=1)
    yield "MaxPool uneven pads", one("MaxPool", **three, pads=[0, 0, 1, 1])
    yield "MaxPool SAME_LOWER", one("MaxPool", **three, auto_pad="SAME_LOWER")
    yield "MaxPool dilated", one("MaxPool", kernel_shape=[2, 2], dilations=[2, 2])
    yield "MaxPool dilated uneven", one("MaxPool", **three, pads=[0, 1, 2, 1], dilations=[2, 1])
    yield (
        "AveragePool SAME_LOWER counted",
        one("AveragePool", **three, auto_pad="SAME_LOWER", count_include_pad=1),
    )
    yield "GlobalMaxPool", one("GlobalMaxPool")
    yield "GlobalAveragePool", one("GlobalAveragePool")
    weight = np.random.default_rng(4).normal(0, 1, (4, 2, 3, 3)).astype(np.float32)
    yield "ConvTranspose", one("ConvTranspose", weight, kernel_shape=[3, 3], strides=[2, 2])
    yield (
        "ConvTranspose output_padding",
        one(
            "ConvTranspose",
            weight,
            kernel_shape=[3, 3],
            strides=[2, 2],
            pads=[1, 1, 1, 1],
            output_padding=[1, 1],
        ),
    )
    uneven = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 1, 0]}
    yield "ConvTranspose uneven pads", one("ConvTranspose", weight, **uneven)
    yield "ConvTranspose by groups", one("ConvTranspose", weight, kernel_shape=[3, 3], group=2)
    bias = f(1, -1)
    yield "ConvTranspose dilated", one("ConvTranspose", weight, bias, dilations=[2, 2])
    single = weight[:, :1]
    yield "ConvTranspose depthwise", one("ConvTranspose", single, strides=[2, 2], group=4)
    yield (
        "ConvTranspose SAME_UPPER",
        one("ConvTranspose", weight, strides=[2, 2], auto_pad="SAME_UPPER"),
    )
    yield (
        "ConvTranspose output_shape",
        one("ConvTranspose", weight, kernel_shape=[3, 3], strides=[2, 2], output_shape=[16, 16]),
    )
    yield (
        "Conv uneven pads",
        one("Conv", np.ones((4, 4, 3, 3), "f4"), kernel_shape=[3, 3], pads=[0, 0, 1, 1]),
    )
    yield (
        "Conv SAME_UPPER",
        one(
            "Conv",
            np.ones((4, 4, 3, 3), "f4"),
            kernel_shape=[3, 3],
            strides=[2, 2],
            auto_pad="SAME_UPPER",
        ),
    )


def _activations() -> Iterator[tuple[str, onnx.ModelProto]]:
    yield "Clip", one("Clip", np.float32(-1), np.float32(2))
    yield "Clip to six", one("Clip", np.float32(0), np.float32(6))
    yield "Clip of shape 1", one("Clip", f(0), f(6))
    yield "Clip from below", one("Clip", np.float32(0.5))
    yield "Clip from above", one("Clip", None, np.float32(0.5))
    yield "LeakyRelu", one("LeakyRelu", alpha=0.1)
    yield "LeakyRelu by default", one("LeakyRelu")
    yield "PRelu by channel", one("PRelu", f(0.1, 0.2, 0.3, 0.4).reshape(4, 1, 1))
    yield "PRelu scalar", one("PRelu", f(0.1))
    yield "PRelu by row", one("PRelu", np.linspace(-1, 1, 8, dtype=np.float32).reshape(8, 1))
    yield "Clip to zero", one("Clip", np.float32(0))
    yield "Shrink", one("Shrink", lambd=0.4, bias=0.1)
    yield "Hardmax", one("Hardmax", axis=1)
    yield "Softmax of opset 11, axis 2", one("Softmax", opset=11, axis=2)
    gate = helper.make_node("HardSigmoid", ["c"], ["g"], "g", alpha=1 / 6, beta=0.5)
    product = helper.make_node("Mul", ["g", "c"], ["y"], "m")
    yield "HardSwish of two", graph([gate, product], ["y"], {}, 17)
    yield "Elu", one("Elu", alpha=0.5)
    yield "Selu", one("Selu")
    yield "Celu", one("Celu", alpha=2.0)
    yield "HardSigmoid", one("HardSigmoid", alpha=1 / 6, beta=0.5)
    yield "HardSigmoid by default", one("HardSigmoid")
    yield "HardSwish", one("HardSwish")
    yield "ThresholdedRelu", one("ThresholdedRelu", alpha=0.7)
    yield "Softplus", one("Softplus")
    yield "Softsign", one("Softsign")
    yield "Mish", one("Mish", opset=18)
    yield "Gelu", one("Gelu", opset=20)
    yield "Gelu tanh", one("Gelu", opset=20, approximate="tanh")
    for axis in (-1, 1, 2):
        yield f"Softmax {axis}", one("Softmax", axis=axis)
    yield "Softmax of opset 11", one("Softmax", opset=11)
    yield "LogSoftmax", one("LogSoftmax", axis=1)
    yield "LRN", one("LRN", size=3)
    sigmoid = helper.make_node("Sigmoid", ["c"], ["s"], "s")
    yield (
        "SiLU",
        graph([sigmoid, helper.make_node("Mul", ["c", "s"], ["y"], "m")], ["y"], {}, 17),
    )


def _reductions() -> Iterator[tuple[str, onnx.ModelProto]]:
    for kind in (
        *("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"),
        *("ReduceSumSquare", "ReduceLogSumExp"),
    ):
        yield f"{kind} axes", one(kind, axes=[1], keepdims=1)
        yield f"{kind} axes from the last", one(kind, axes=[-1, -2], keepdims=0)
    yield "ReduceMean of opset 18", one("ReduceMean", i(1), opset=18, keepdims=1)
    yield "ReduceMax of opset 18", one("ReduceMax", i(2, 3), opset=18, keepdims=0)
    for kind in ("ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"):
        yield f"{kind} of opset 18", one(kind, i(-1), opset=18)
    yield "ReduceMean of all, opset 18", one("ReduceMean", opset=18, keepdims=0)
    yield "ReduceMean of none", one("ReduceMean", opset=18, noop_with_empty_axes=1)
    yield "ReduceSum", one("ReduceSum", i(1), keepdims=0)
    yield "ReduceSum of all", one("ReduceSum", keepdims=1)
    yield "ArgMax", one("ArgMax", axis=1, keepdims=0)
    yield "ArgMax last", one("ArgMax", axis=1, keepdims=1, select_last_index=1)
    yield "CumSum", one("CumSum", np.int64(2))
    yield "ArgMin", one("ArgMin", axis=-1, keepdims=1)
    yield "CumSum exclusive", one("CumSum", np.int64(-1), exclusive=1)
    yield "CumSum backwards", one("CumSum", np.int64(2), reverse=1)
    top = helper.make_node("TopK", ["c", "k"], ["y", "places"], "op", axis=-1)
    yield "TopK", graph([top], ["y", "places"], {"k": i(3)}, 17)
    least = helper.make_node("TopK", ["c", "k"], ["y", "places"], "op", axis=1, largest=0)
    yield "TopK smallest", graph([least], ["y", "places"], {"k": i(2)}, 17)


def _moves() -> Iterator[tuple[str, onnx.ModelProto]]:
    pads = i(0, 0, 1, 2, 0, 0, 2, 1)
    for mode in ("constant", "reflect", "edge"):
        yield f"Pad {mode}", one("Pad", pads, mode=mode)
    yield "Pad constant 1.5", one("Pad", pads, np.float32(1.5))
    yield "Pad channels", one("Pad", i(0, 1, 0, 0, 0, 1, 0, 0))
    weight, conv = np.ones((4, 4, 3, 3), np.float32), ["y0", "w"]
    padded = helper.make_node("Pad", ["c", "pads", "value"], ["y0"], "op")
    after = helper.make_node("Conv", conv, ["y"], "last", kernel_shape=[3, 3])
    constants = {"pads": pads, "value": np.float32(1.5), "w": weight}
    yield "Pad constant 1.5 before a convolution", graph([padded, after], ["y"], constants, 17)
    yield "Pad wrap", one("Pad", pads, mode="wrap", opset=19)
    yield "Pad negative", one("Pad", i(0, 0, -1, 2, 0, 0, 1, -2))
    yield "Pad of two axes", one("Pad", i(1, 2, 3, 0), None, i(2, 3), opset=18)
    yield "Slice by steps", one("Slice", i(1, 0), i(8, 7), i(2, 3), i(2, 3))
    yield "Slice backwards", one("Slice", i(-1), i(-9), i(2), i(-1))
    yield "Slice axes from the last", one("Slice", i(1), i(3), i(-1))
    yield "Slice to the end", one("Slice", i(2), i(2**63 - 1), i(3))
    yield "Gather", one("Gather", i(2, 0, 1), axis=1)
    yield "Gather negative", one("Gather", i(-1, 0), axis=2)
    yield "Gather scalar", one("Gather", np.int64(1), axis=1)
    yield "GatherElements", one("GatherElements", np.ones((1, 4, 2, 8), np.int64), axis=2)
    yield "GatherND", one("GatherND", np.array([[0, 1], [0, 3]], np.int64))
    yield "Transpose", one("Transpose", perm=[0, 2, 3, 1])
    yield "Transpose by default", one("Transpose")
    yield "Reshape with 0 and -1", one("Reshape", i(0, -1, 16))
    for axis in (0, 1, 2, -1):
        yield f"Flatten {axis}", one("Flatten", axis=axis)
    yield "Gather of a matrix", one("Gather", i(2, 0, 1, 3).reshape(2, 2), axis=1)
    yield "Expand", one("Expand", i(3, 4, 8, 8))
    yield "Expand by ones", one("Expand", i(2, 1, 1, 1, 1))
    yield "Trilu", one("Trilu", np.int64(1), upper=0)
    updates = np.full((2, 8), 5.0, np.float32)
    yield "ScatterND", one("ScatterND", i(0, 1, 2, 0, 3, -1).reshape(2, 3), updates)
    few = np.ones((1, 2, 3, 4), np.int64)
    yield "ScatterElements", one("ScatterElements", few, few.astype(np.float32) * 7, axis=2)
    yield "Tile", one("Tile", i(1, 2, 1, 3))
    yield "Squeeze", one("Squeeze", i(0))
    yield "Unsqueeze", one("Unsqueeze", i(0, -1))
    for mode in ("DCR", "CRD"):
        yield f"DepthToSpace {mode}", one("DepthToSpace", blocksize=2, mode=mode)
    yield "SpaceToDepth", one("SpaceToDepth", blocksize=2)
    joined = helper.make_node("Concat", ["k", "c", "k"], ["y"], "op", axis=-1)
    yield "Concat of constants", graph([joined], ["y"], {"k": np.ones((1, 4, 8, 2), "f4")}, 17)


def _arithmetic() -> Iterator[tuple[str, onnx.ModelProto]]:
    row = np.linspace(-1, 1, 8, dtype=np.float32)
    for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min"):
        yield f"{kind} a row", one(kind, row)
        yield f"{kind} a scalar", one(kind, np.float32(1.5))
        swapped = helper.make_node(kind, ["k", "c"], ["y"], "op")
        yield f"{kind} a row from the left", graph([swapped], ["y"], {"k": row}, 17)
    yield "Add channels", one("Add", row[:4].reshape(4, 1, 1))
    yield "Pow 2", one("Pow", np.float32(2))
    yield "Pow 3", one("Pow", np.float32(3))
    absolute = helper.make_node("Abs", ["c"], ["a"], "a")
    for kind, constant in (("Pow", np.float32(0.5)), ("Mod", np.float32(0.7))):
        how = {"fmod": 1} if kind == "Mod" else {}
        node = helper.make_node(kind, ["a", "k"], ["y"], "op", **how)
        yield f"{kind} of positive", graph([absolute, node], ["y"], {"k": constant}, 17)
    for kind in ("Sqrt", "Log", "Reciprocal"):
        node = helper.make_node(kind, ["a"], ["y"], "op")
        yield kind, graph([absolute, node], ["y"], {}, 17)
    for kind in (
        "Exp",
        "Erf",
        "Neg",
        "Floor",
        "Ceil",
        "Round",
        "Sign",
        "Sin",
        "Cos",
        "Tanh",
        "Atan",
    ):
        yield kind, one(kind)


def _others() -> Iterator[tuple[str, onnx.ModelProto]]:
    square = np.random.default_rng(5).normal(0, 1, (8, 5)).astype(np.float32)
    yield "MatMul", one("MatMul", square)
    yield "Einsum", one("Einsum", square, equation="nchw,wk->nchk")
    flat = helper.make_node("Flatten", ["c"], ["flat"], "flat")
    gemm = helper.make_node("Gemm", ["flat", "w", "b"], ["y"], "op", alpha=0.5, beta=2.0)
    weights = {"w": np.ones((256, 3), "f4") / 256, "b": f(1, 2, 3)}
    yield "Gemm alpha beta", graph([flat, gemm], ["y"], weights, 17)
    bare = helper.make_node("Gemm", ["flat", "w"], ["y"], "op")
    yield "Gemm without bias", graph([flat, bare], ["y"], {"w": weights["w"]}, 17)
    norms = (f(1, 2, 3, 4), f(0, 1, 0, 1))
    yield "BatchNormalization", one("BatchNormalization", *norms, f(0, 0.1, 0.2, 0.3), norms[0])
    yield "InstanceNormalization", one("InstanceNormalization", *norms)
    scale = np.linspace(1, 2, 8, dtype=np.float32)
    yield "LayerNormalization", one("LayerNormalization", scale, scale, axis=-1)
    for kind in ("Greater", "Less", "Equal"):
        compare = helper.make_node(kind, ["c", "k"], ["t"], "op")
        where = helper.make_node("Where", ["t", "c", "m"], ["y"], "where")
        constants = {"k": np.float32(0.3), "m": np.float32(-2)}
        yield f"Where {kind}", graph([compare, where], ["y"], constants, 17)
        cast = helper.make_node("Cast", ["t"], ["y"], "cast", to=TensorProto.FLOAT)
        yield f"Cast {kind}", graph([compare, cast], ["y"], {"k": constants["k"]}, 17)
    yield "Cast to int64", one("Cast", to=TensorProto.INT64)
    yield (
        "OneHot",
        graph(
            [
                helper.make_node("ArgMax", ["c"], ["label"], "a", axis=1, keepdims=0),
                helper.make_node("OneHot", ["label", "depth", "values"], ["y"], "op", axis=1),
            ],
            ["y"],
            {"depth": i(4), "values": f(0, 1)},
            17,
        ),
    )
