"""Float64 reference of a quantized ONNX graph, one node after the other, in plain NumPy.

A second implementation, written from the ONNX operator specification; nothing of ONNX Runtime.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper


def evaluate(
    model: onnx.ModelProto,
    feeds: Mapping[str, np.ndarray],
    forced: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Every tensor of ``model``, by name.

    A tensor named in ``forced`` is returned as computed here, but what reads it reads the forced
    value: so that each step is judged from the same start.
    """
    seen = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    seen.update(feeds)
    found = {}
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs = [seen[name] if name else None for name in node.input]
        results = OPERATORS[node.op_type](inputs, attributes)
        for name, result in zip(node.output, _each(results), strict=True):
            found[name] = result
            seen[name] = (forced or {}).get(name, result)
    return found


def _each(results):
    return results if isinstance(results, tuple) else (results,)


def _real(array):
    return np.asarray(array, dtype=np.float64)


def _along(values, axis, rank):
    values = _real(values)
    return values if values.ndim == 0 else values.reshape([-1] + [1] * (rank - axis - 1))


def _quantize(inputs, attributes):
    x, scale, zero = inputs
    axis = attributes.get("axis", 1)
    limits = np.iinfo(zero.dtype)
    codes = np.rint(_real(x) / _along(scale, axis, x.ndim)) + _along(zero, axis, x.ndim)
    return np.clip(codes, limits.min, limits.max).astype(zero.dtype)


def _dequantize(inputs, attributes):
    x, scale, zero = inputs
    axis = attributes.get("axis", 1)
    return (_real(x) - _along(zero, axis, x.ndim)) * _along(scale, axis, x.ndim)


def _windows(x, kernel, attributes, fill):
    """Windows [N, C, H, W, kernel height, kernel width] of ``x`` [N, C, H, W]."""
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    padded = np.pad(_real(x), ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, tuple(kernel), axis=(2, 3))
    down, across = attributes.get("strides", [1, 1])
    return windows[:, :, ::down, ::across]


def _conv(inputs, attributes):
    x, weight = inputs[0], _real(inputs[1])
    groups = attributes.get("group", 1)
    windows = _windows(x, weight.shape[2:], attributes, 0.0)
    split = zip(np.split(windows, groups, axis=1), np.split(weight, groups, axis=0), strict=True)
    parts = [np.einsum("nchwij,ocij->nohw", window, part) for window, part in split]
    result = np.concatenate(parts, axis=1)
    return result if len(inputs) < 3 else result + _real(inputs[2])[:, None, None]


def _clip(inputs, attributes):
    low, high = ([*inputs[1:], None, None])[:2]
    return np.clip(inputs[0], -np.inf if low is None else low, np.inf if high is None else high)


def _max_pool(inputs, attributes):
    return _windows(inputs[0], attributes["kernel_shape"], attributes, -np.inf).max(axis=(4, 5))


def _average_pool(inputs, attributes):
    def total(values):
        return _windows(values, attributes["kernel_shape"], attributes, 0.0).sum(axis=(4, 5))

    counted = np.ones_like(inputs[0])
    if attributes.get("count_include_pad"):
        return total(inputs[0]) / np.prod(attributes["kernel_shape"])
    return total(inputs[0]) / total(counted)


def _resize(inputs, attributes):
    assert attributes["mode"] == b"nearest"
    assert inputs[2].tolist() == [1.0, 1.0, 2.0, 2.0]
    return inputs[0].repeat(2, axis=2).repeat(2, axis=3)


def _gemm(inputs, attributes):
    left, right = _real(inputs[0]), _real(inputs[1])
    left = left.T if attributes.get("transA") else left
    right = right.T if attributes.get("transB") else right
    result = attributes.get("alpha", 1.0) * left @ right
    return result + (attributes.get("beta", 1.0) * _real(inputs[2]) if len(inputs) > 2 else 0.0)


def _split(inputs, attributes):
    ends = np.cumsum(inputs[1])[:-1]
    return tuple(np.split(inputs[0], ends, axis=attributes.get("axis", 0)))


def _slice(inputs, attributes):
    places = [slice(None)] * inputs[0].ndim
    steps = inputs[4] if len(inputs) > 4 else np.ones_like(inputs[1])
    for start, end, axis, step in zip(*(i.tolist() for i in (*inputs[1:4], steps)), strict=True):
        places[axis] = slice(start, end, step)
    return inputs[0][tuple(places)]


def _space_to_depth(inputs, attributes):
    n, c, h, w = inputs[0].shape
    b = attributes["blocksize"]
    blocks = inputs[0].reshape(n, c, h // b, b, w // b, b)
    return blocks.transpose(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


def _top_k(inputs, attributes):
    values, (count,) = inputs
    places = np.argsort(-_real(values), axis=-1, kind="stable")[..., :count]
    return np.take_along_axis(values, places, axis=-1), places


OPERATORS = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "Conv": _conv,
    "Relu": lambda i, a: np.maximum(i[0], 0.0),
    "LeakyRelu": lambda i, a: np.where(_real(i[0]) < 0, a.get("alpha", 0.01), 1.0) * i[0],
    "Clip": _clip,
    "Tanh": lambda i, a: np.tanh(_real(i[0])),
    "Sigmoid": lambda i, a: 1.0 / (1.0 + np.exp(-_real(i[0]))),
    "Mul": lambda i, a: _real(i[0]) * _real(i[1]),
    "Add": lambda i, a: _real(i[0]) + _real(i[1]),
    "Sub": lambda i, a: _real(i[0]) - _real(i[1]),
    "Concat": lambda i, a: np.concatenate(i, axis=a["axis"]),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda i, a: _real(i[0]).mean(axis=(2, 3), keepdims=True),
    "Resize": _resize,
    "Gemm": _gemm,
    "Flatten": lambda i, a: i[0].reshape(int(np.prod(i[0].shape[: a.get("axis", 1)])), -1),
    "Reshape": lambda i, a: i[0].reshape(i[1].tolist()),
    "Slice": _slice,
    "Split": _split,
    "ReduceMean": lambda i, a: _real(i[0]).mean(axis=tuple(a["axes"]), keepdims=True),
    "SpaceToDepth": _space_to_depth,
    "Expand": lambda i, a: np.broadcast_to(i[0], np.broadcast_shapes(i[0].shape, i[1])),
    "QuickGelu": lambda i, a: _real(i[0]) / (1.0 + np.exp(-a["alpha"] * _real(i[0]))),
    "Transpose": lambda i, a: i[0].transpose(a["perm"]),
    "ReduceMax": lambda i, a: i[0].max(axis=tuple(a["axes"]), keepdims=bool(a["keepdims"])),
    "Gather": lambda i, a: np.take(i[0], i[1], axis=a["axis"]),
    "TopK": _top_k,
}
