"""Models of one operator each, with shapes and attributes drawn from a seed: as many as are wanted.

What ONNX's own tests try is what somebody thought of. These are drawn from what the operator's
definition allows and a vision model may hold. Each has a name that makes it again, in any process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from zlib import crc32

import numpy as np
import onnx
from numpy.random import Generator
from onnx import TensorProto, helper, numpy_helper

from tools.node_tests.cases import Case

DRAWN = "drawn "
"""What their names begin with."""

EACH = 12
"""Models of each operator."""

OPSET, IR_VERSION = 17, 8

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """``kind`` of a tensor of ``shape`` and of ``constants`` after it, None where one is left out.

    ``first``: whether a constant comes before the tensor instead; ``outputs``: how many there are.
    """

    kind: str
    shape: Shape
    constants: tuple[Any, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    first: bool = False
    outputs: int = 1


def generated(each: int = EACH) -> Iterator[Case]:
    """``each`` models of every operator. Their truth is what ONNX Runtime computes."""
    for kind, draw in DRAWING.items():
        for number in range(each):
            random = np.random.default_rng([crc32(kind.encode()), number])
            drawn = draw(random, kind)
            feed = random.normal(0, 2, drawn.shape).astype(np.float32)
            if kind in POSITIVE:
                feed = np.abs(feed) + np.float32(0.01)
            yield Case(f"{DRAWN}{kind} {number}", _model(drawn), [feed], [])


def _model(drawn: Drawn) -> onnx.ModelProto:
    named = {f"k{i}": np.asarray(v) for i, v in enumerate(drawn.constants) if v is not None}
    behind = ["" if v is None else f"k{i}" for i, v in enumerate(drawn.constants)]
    inputs = [*behind, "x"] if drawn.first else ["x", *behind]
    outputs = [f"y{number}" for number in range(drawn.outputs)]
    node = helper.make_node(drawn.kind, inputs, outputs, "node", **drawn.attributes)
    graph = helper.make_graph(
        [node],
        "generated",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, drawn.shape)],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in named.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    return onnx.shape_inference.infer_shapes(model)


# What the drawing of several is made of


def _size(random: Generator, low: int, high: int) -> int:
    return int(random.integers(low, high + 1))


def _sizes(random: Generator, count: int, low: int, high: int) -> list[int]:
    return [_size(random, low, high) for _ in range(count)]


def _shape(random: Generator, least: int = 2, most: int = 4) -> Shape:
    """Of one image, of any rank."""
    return (1, *_sizes(random, _size(random, least, most) - 1, 1, 6))


def _image(random: Generator, channels: int | None = None) -> Shape:
    return (1, channels or _size(random, 1, 6), *_sizes(random, 2, 5, 11))


def _one_of(random: Generator, *choices: Any) -> Any:
    return choices[int(random.integers(len(choices)))]


def _normal(random: Generator, *shape: int) -> Any:
    return random.normal(0, 1, shape).astype(np.float32)


def _axes(random: Generator, rank: int) -> list[int]:
    """Some axes, some of them counted from the last."""
    count = _size(random, 1, rank)
    axes = random.choice(rank, count, replace=False)
    return [int(axis) - rank * int(random.integers(2)) for axis in axes]


def _axis(random: Generator, rank: int) -> int:
    return int(random.integers(-rank, rank))


def _integers(values: Any) -> Any:
    return np.array(values, np.int64)


def _broadcast(random: Generator, shape: Shape) -> Shape:
    """What broadcasts to ``shape``."""
    kept = shape[_size(random, 0, len(shape)) :]
    return tuple(1 if random.integers(3) == 0 else size for size in kept)


def _window(random: Generator) -> dict[str, Any]:
    """Kernel, strides and padding of two axes; none is wider than the kernel."""
    kernel = _sizes(random, 2, 1, 4)
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": _sizes(random, 2, 1, 3)}
    same = _one_of(random, None, None, None, "SAME_UPPER", "SAME_LOWER", "VALID")
    if same is not None:
        return {**how, "auto_pad": same}
    return {**how, "pads": [_size(random, 0, side - 1) for side in (*kernel, *kernel)]}


# Operators


def _conv(random: Generator, kind: str) -> Drawn:
    how = _window(random)
    groups, inside = _size(random, 1, 3), _one_of(random, 1, 1, 2, 3)
    outputs = groups * _size(random, 1, 3)
    if "auto_pad" not in how:
        how["dilations"] = _sizes(random, 2, 1, 2)
    weight = _normal(random, outputs, inside, *how["kernel_shape"])
    bias = (_normal(random, outputs),) if random.integers(2) else ()
    return Drawn(kind, _image(random, groups * inside), (weight, *bias), {**how, "group": groups})


def _conv_transpose(random: Generator, kind: str) -> Drawn:
    how = {name: value for name, value in _window(random).items() if name != "auto_pad"}
    groups = _size(random, 1, 2)
    inputs, outputs = groups * _size(random, 1, 3), _size(random, 1, 3)
    how["output_padding"] = [_size(random, 0, stride - 1) for stride in how["strides"]]
    weight = _normal(random, inputs, outputs, *how["kernel_shape"])
    bias = (_normal(random, groups * outputs),) if random.integers(2) else ()
    return Drawn(kind, _image(random, inputs), (weight, *bias), {**how, "group": groups})


def _pool(random: Generator, kind: str) -> Drawn:
    how = _window(random)
    if "auto_pad" not in how:
        how["ceil_mode"] = _size(random, 0, 1)
    if kind == "AveragePool":
        how["count_include_pad"] = _size(random, 0, 1)
    return Drawn(kind, _image(random), (), how)


def _resize(random: Generator, kind: str) -> Drawn:
    shape = _image(random)
    mode = _one_of(random, "nearest", "linear", "linear", "cubic")
    mapping = _one_of(random, "half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
    how = {"mode": mode, "coordinate_transformation_mode": mapping}
    if mode == "nearest":
        roundings = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        how["nearest_mode"] = _one_of(random, *roundings)
    if random.integers(2):
        sizes = _integers([*shape[:2], *_sizes(random, 2, 2, 24)])
        return Drawn(kind, shape, (None, None, sizes), how)
    factors = [float(_one_of(random, 0.5, 1.5, 2, 2, 3, 1.3)) for _ in range(2)]
    return Drawn(kind, shape, (None, np.array([1, 1, *factors], np.float32)), how)


def _pad(random: Generator, kind: str) -> Drawn:
    shape = _image(random)
    mode = _one_of(random, "constant", "constant", "reflect", "edge")
    most = 3 if mode == "constant" else 2
    before, after = ([0, 0, *_sizes(random, 2, 0, most)] for _ in range(2))
    value = np.float32(random.normal()) if mode == "constant" and random.integers(2) else None
    return Drawn(kind, shape, (_integers([*before, *after]), value), {"mode": mode})


def _slice(random: Generator, kind: str) -> Drawn:
    shape = _image(random)
    axes = _integers(_axes(random, 4))
    starts, ends, steps = [], [], []
    for size in (shape[axis] for axis in axes):
        step = _one_of(random, 1, 1, 1, 2, 3, -1, -2)
        first, last = sorted(_sizes(random, 2, 0, size))
        first, last = (first, last) if first < last else (0, size)
        from_end = int(random.integers(2)) * size
        starts.append((first if step > 0 else last - 1) - from_end)
        ends.append(last if step > 0 else (first - 1 - size if first else -size - 1))
        steps.append(step)
    return Drawn(kind, shape, (_integers(starts), _integers(ends), axes, _integers(steps)))


def _transpose(random: Generator, kind: str) -> Drawn:
    shape = _shape(random, 2, 5)
    return Drawn(kind, shape, (), {"perm": random.permutation(len(shape)).tolist()})


def _reshape(random: Generator, kind: str) -> Drawn:
    shape = _shape(random, 3, 4)
    start = _size(random, 0, len(shape) - 1)
    end = _size(random, start + 1, len(shape))
    return Drawn(kind, shape, (_integers([*([0] * start), -1, *shape[end:]]),))


def _flatten(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    return Drawn(kind, shape, (), {"axis": _axis(random, len(shape))})


def _squeeze(random: Generator, kind: str) -> Drawn:
    shape = (*_shape(random, 2, 3), 1)
    return Drawn(kind, shape, (_integers(_one_of(random, [0], [-1], [0, len(shape) - 1])),))


def _unsqueeze(random: Generator, kind: str) -> Drawn:
    return Drawn(kind, _shape(random, 2, 3), (_integers(_one_of(random, [0], [1, -1], [-2])),))


def _expand(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    wanted = [_size(random, 1, 4) if size == 1 else size for size in shape]
    return Drawn(kind, shape, (_integers([*_sizes(random, _size(random, 0, 1), 1, 3), *wanted]),))


def _tile(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    return Drawn(kind, shape, (_integers(_sizes(random, len(shape), 1, 3)),))


def _concat(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    axis = _axis(random, len(shape))
    other = list(shape)
    other[axis] = _size(random, 1, 4)
    constant = _normal(random, *other)
    return Drawn(kind, shape, (constant,), {"axis": axis}, first=bool(random.integers(2)))


def _split(random: Generator, kind: str) -> Drawn:
    parts = _sizes(random, _size(random, 2, 4), 1, 3)
    shape = list(_shape(random))
    axis = int(random.integers(1, len(shape)))
    shape[axis] = sum(parts)
    counted = axis - len(shape) * int(random.integers(2))
    how = {"axis": counted}
    return Drawn(kind, tuple(shape), (_integers(parts),), how, outputs=len(parts))


def _gather(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    axis = _axis(random, len(shape))
    size, wanted = shape[axis], _sizes(random, _size(random, 0, 2), 1, 3)
    indices = _integers(random.integers(-size, size, wanted))
    return Drawn(kind, shape, (indices,), {"axis": axis})


def _gather_elements(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    axis = _axis(random, len(shape))
    wanted = list(shape)
    wanted[axis] = _size(random, 1, 5)
    indices = _integers(random.integers(0, shape[axis], wanted))
    return Drawn(kind, shape, (indices,), {"axis": axis})


def _blocks(random: Generator, kind: str) -> Drawn:
    side = _size(random, 2, 3)
    channels, height, width = _sizes(random, 3, 1, 4)
    if kind == "SpaceToDepth":
        return Drawn(kind, (1, channels, height * side, width * side), (), {"blocksize": side})
    how = {"blocksize": side, "mode": _one_of(random, "DCR", "CRD")}
    return Drawn(kind, (1, channels * side * side, height, width), (), how)


def _along(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    return Drawn(kind, shape, (), {"axis": _axis(random, len(shape))})


def _reduce(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    keep = {"keepdims": _size(random, 0, 1)}
    axes = _axes(random, len(shape))
    if kind == "ReduceSum":
        return Drawn(kind, shape, (_integers(axes),), keep)
    return Drawn(kind, shape, (), {"axes": axes, **keep})


def _best(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    how = {"axis": _axis(random, len(shape)), "keepdims": _size(random, 0, 1)}
    return Drawn(kind, shape, (), how)


def _topk(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    axis = _axis(random, len(shape))
    how = {"axis": axis, "largest": _size(random, 0, 1)}
    return Drawn(kind, shape, (_integers([_size(random, 1, shape[axis])]),), how, outputs=2)


def _cumsum(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    how = {"exclusive": _size(random, 0, 1), "reverse": _size(random, 0, 1)}
    return Drawn(kind, shape, (np.int64(_axis(random, len(shape))),), how)


def _binary(random: Generator, kind: str) -> Drawn:
    shape = _shape(random, 2, 5)
    constant = _normal(random, *_broadcast(random, shape))
    if kind == "Div":
        constant = np.sign(constant) * (np.abs(constant) + np.float32(0.5))
    return Drawn(kind, shape, (constant,), first=kind != "Pow" and bool(random.integers(2)))


def _prelu(random: Generator, kind: str) -> Drawn:
    shape = _image(random)
    slopes = _one_of(random, (1,), (shape[1], 1, 1), (1, 1, shape[3]))
    return Drawn(kind, shape, (_normal(random, *slopes),))


def _clip(random: Generator, kind: str) -> Drawn:
    low, high = np.sort(_normal(random, 2))
    limits = _one_of(random, (low, high), (low,), (None, high), (np.float32(0), np.float32(6)))
    return Drawn(kind, _shape(random), limits)


def _unary(random: Generator, kind: str) -> Drawn:
    return Drawn(kind, _shape(random, 2, 5))


def _by_alpha(random: Generator, kind: str) -> Drawn:
    how = {} if random.integers(3) == 0 else {"alpha": float(random.uniform(0.05, 2))}
    return Drawn(kind, _shape(random), (), how)


def _matmul(random: Generator, kind: str) -> Drawn:
    shape = _shape(random)
    if len(shape) > 2 and random.integers(3) == 0:
        left = _normal(random, _size(random, 1, 5), shape[-2])
        return Drawn(kind, shape, (left,), first=True)
    batch = shape[:-2] if random.integers(3) == 0 else ()
    return Drawn(kind, shape, (_normal(random, *batch, shape[-1], _size(random, 1, 5)),))


def _gemm(random: Generator, kind: str) -> Drawn:
    inputs, outputs = _sizes(random, 2, 1, 6)
    turned = _size(random, 0, 1)
    weight = _normal(random, *((outputs, inputs) if turned else (inputs, outputs)))
    bias = _one_of(random, (), (outputs,), (1, outputs), (1,), None)
    how = {"transB": turned, "alpha": float(_one_of(random, 1, 0.5)), "beta": float(2)}
    constants = (weight,) if bias is None else (weight, _normal(random, *bias))
    return Drawn(kind, (1, inputs), constants, how)


def _layer_norm(random: Generator, kind: str) -> Drawn:
    shape = (*_shape(random, 2, 3), _size(random, 2, 6))
    axis = _size(random, 1, len(shape) - 1)
    gain, offset = (_normal(random, *shape[axis:]) for _ in range(2))
    counted = axis - len(shape) * int(random.integers(2))
    both = (gain, offset) if random.integers(2) else (gain,)
    return Drawn(kind, shape, both, {"axis": counted})


def _by_channel(random: Generator, kind: str) -> Drawn:
    shape = _image(random)
    values = [_normal(random, shape[1]) for _ in range(4)]
    values[3] = np.abs(values[3]) + np.float32(0.1)
    return Drawn(kind, shape, tuple(values[: 4 if kind == "BatchNormalization" else 2]))


def _lrn(random: Generator, kind: str) -> Drawn:
    return Drawn(kind, _image(random, _size(random, 3, 6)), (), {"size": _one_of(random, 1, 3, 5)})


Draw = Callable[[Generator, str], Drawn]

POSITIVE = frozenset({"Log", "Pow", "Reciprocal", "Sqrt"})
"""Operators that are given numbers above 0."""

REDUCTIONS = ("L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

UNARY = (
    *("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Log", "Neg", "Reciprocal"),
    *("Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tanh"),
)

DRAWING: Mapping[str, Draw] = MappingProxyType(
    {
        "Conv": _conv,
        "ConvTranspose": _conv_transpose,
        **dict.fromkeys(("AveragePool", "MaxPool"), _pool),
        **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), lambda r, k: Drawn(k, _image(r))),
        "Resize": _resize,
        "Pad": _pad,
        "Slice": _slice,
        "Transpose": _transpose,
        "Reshape": _reshape,
        "Flatten": _flatten,
        "Squeeze": _squeeze,
        "Unsqueeze": _unsqueeze,
        "Expand": _expand,
        "Tile": _tile,
        "Concat": _concat,
        "Split": _split,
        "Gather": _gather,
        "GatherElements": _gather_elements,
        **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _blocks),
        **dict.fromkeys(("Softmax", "LogSoftmax"), _along),
        **dict.fromkeys((f"Reduce{what}" for what in REDUCTIONS), _reduce),
        **dict.fromkeys(("ArgMax", "ArgMin"), _best),
        "TopK": _topk,
        "CumSum": _cumsum,
        **dict.fromkeys(("Add", "Div", "Max", "Min", "Mul", "Pow", "Sub"), _binary),
        "PRelu": _prelu,
        "Clip": _clip,
        **dict.fromkeys(UNARY, _unary),
        **dict.fromkeys(("Celu", "Elu", "HardSigmoid", "LeakyRelu", "ThresholdedRelu"), _by_alpha),
        "MatMul": _matmul,
        "Gemm": _gemm,
        "LayerNormalization": _layer_norm,
        **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), _by_channel),
        "LRN": _lrn,
    }
)
"""How models of each operator are drawn."""
