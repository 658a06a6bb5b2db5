"""One function for each kind of operator, which draws its shape, constants and attributes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from tools.node_tests import draws
from tools.node_tests.draws import Drawn


def conv(random: Generator, kind: str) -> Drawn:
    how = draws.window(random)
    groups, inside = draws.size(random, 1, 3), draws.one_of(random, 1, 1, 2, 3)
    outputs = groups * draws.size(random, 1, 3)
    if "auto_pad" not in how:
        how["dilations"] = draws.sizes(random, 2, 1, 2)
    weight = draws.normal(random, outputs, inside, *how["kernel_shape"])
    bias = (draws.normal(random, outputs),) if random.integers(2) else ()
    return Drawn(
        kind, draws.image(random, groups * inside), (weight, *bias), {**how, "group": groups}
    )


def conv_transpose(random: Generator, kind: str) -> Drawn:
    how = {name: value for name, value in draws.window(random).items() if name != "auto_pad"}
    groups = draws.size(random, 1, 2)
    inputs, outputs = groups * draws.size(random, 1, 3), draws.size(random, 1, 3)
    how["output_padding"] = [draws.size(random, 0, stride - 1) for stride in how["strides"]]
    weight = draws.normal(random, inputs, outputs, *how["kernel_shape"])
    bias = (draws.normal(random, groups * outputs),) if random.integers(2) else ()
    return Drawn(kind, draws.image(random, inputs), (weight, *bias), {**how, "group": groups})


def pool(random: Generator, kind: str) -> Drawn:
    how = draws.window(random)
    if "auto_pad" not in how:
        how["ceil_mode"] = draws.size(random, 0, 1)
    if kind == "AveragePool":
        how["count_include_pad"] = draws.size(random, 0, 1)
    return Drawn(kind, draws.image(random), (), how)


def resize(random: Generator, kind: str) -> Drawn:
    shape = draws.image(random)
    mode = draws.one_of(random, "nearest", "linear", "linear", "cubic")
    mapping = draws.one_of(
        random, "half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"
    )
    how = {"mode": mode, "coordinate_transformation_mode": mapping}
    if mode == "nearest":
        roundings = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        how["nearest_mode"] = draws.one_of(random, *roundings)
    if random.integers(2):
        sizes = draws.integers([*shape[:2], *draws.sizes(random, 2, 2, 24)])
        return Drawn(kind, shape, (None, None, sizes), how)
    factors = [float(draws.one_of(random, 0.5, 1.5, 2, 2, 3, 1.3)) for _ in range(2)]
    return Drawn(kind, shape, (None, np.array([1, 1, *factors], np.float32)), how)


def pad(random: Generator, kind: str) -> Drawn:
    shape = draws.image(random)
    mode = draws.one_of(random, "constant", "constant", "reflect", "edge")
    most = 3 if mode == "constant" else 2
    before, after = ([0, 0, *draws.sizes(random, 2, 0, most)] for _ in range(2))
    value = np.float32(random.normal()) if mode == "constant" and random.integers(2) else None
    return Drawn(kind, shape, (draws.integers([*before, *after]), value), {"mode": mode})


def slicing(random: Generator, kind: str) -> Drawn:
    shape = draws.image(random)
    axes = draws.integers(draws.axes(random, 4))
    starts, ends, steps = [], [], []
    for size in (shape[axis] for axis in axes):
        step = draws.one_of(random, 1, 1, 1, 2, 3, -1, -2)
        first, last = sorted(draws.sizes(random, 2, 0, size))
        first, last = (first, last) if first < last else (0, size)
        from_end = int(random.integers(2)) * size
        starts.append((first if step > 0 else last - 1) - from_end)
        ends.append(last if step > 0 else (first - 1 - size if first else -size - 1))
        steps.append(step)
    return Drawn(
        kind, shape, (draws.integers(starts), draws.integers(ends), axes, draws.integers(steps))
    )


def transpose(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random, 2, 5)
    return Drawn(kind, shape, (), {"perm": random.permutation(len(shape)).tolist()})


def reshape(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random, 3, 4)
    start = draws.size(random, 0, len(shape) - 1)
    end = draws.size(random, start + 1, len(shape))
    return Drawn(kind, shape, (draws.integers([*([0] * start), -1, *shape[end:]]),))


def flatten(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    return Drawn(kind, shape, (), {"axis": draws.axis(random, len(shape))})


def squeeze(random: Generator, kind: str) -> Drawn:
    shape = (*draws.shape(random, 2, 3), 1)
    return Drawn(
        kind, shape, (draws.integers(draws.one_of(random, [0], [-1], [0, len(shape) - 1])),)
    )


def unsqueeze(random: Generator, kind: str) -> Drawn:
    return Drawn(
        kind, draws.shape(random, 2, 3), (draws.integers(draws.one_of(random, [0], [1, -1], [-2])),)
    )


def expand(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    wanted = [draws.size(random, 1, 4) if size == 1 else size for size in shape]
    return Drawn(
        kind,
        shape,
        (draws.integers([*draws.sizes(random, draws.size(random, 0, 1), 1, 3), *wanted]),),
    )


def tile(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    return Drawn(kind, shape, (draws.integers(draws.sizes(random, len(shape), 1, 3)),))


def concat(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    axis = draws.axis(random, len(shape))
    other = list(shape)
    other[axis] = draws.size(random, 1, 4)
    constant = draws.normal(random, *other)
    return Drawn(kind, shape, (constant,), {"axis": axis}, first=bool(random.integers(2)))


def split(random: Generator, kind: str) -> Drawn:
    parts = draws.sizes(random, draws.size(random, 2, 4), 1, 3)
    shape = list(draws.shape(random))
    axis = int(random.integers(1, len(shape)))
    shape[axis] = sum(parts)
    counted = axis - len(shape) * int(random.integers(2))
    how = {"axis": counted}
    return Drawn(kind, tuple(shape), (draws.integers(parts),), how, outputs=len(parts))


def gather(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    axis = draws.axis(random, len(shape))
    size, wanted = shape[axis], draws.sizes(random, draws.size(random, 0, 2), 1, 3)
    indices = draws.integers(random.integers(-size, size, wanted))
    return Drawn(kind, shape, (indices,), {"axis": axis})


def gather_elements(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    axis = draws.axis(random, len(shape))
    wanted = list(shape)
    wanted[axis] = draws.size(random, 1, 5)
    indices = draws.integers(random.integers(0, shape[axis], wanted))
    return Drawn(kind, shape, (indices,), {"axis": axis})


def blocks(random: Generator, kind: str) -> Drawn:
    side = draws.size(random, 2, 3)
    channels, height, width = draws.sizes(random, 3, 1, 4)
    if kind == "SpaceToDepth":
        return Drawn(kind, (1, channels, height * side, width * side), (), {"blocksize": side})
    how = {"blocksize": side, "mode": draws.one_of(random, "DCR", "CRD")}
    return Drawn(kind, (1, channels * side * side, height, width), (), how)


def along(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    return Drawn(kind, shape, (), {"axis": draws.axis(random, len(shape))})


def reduce(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    keep = {"keepdims": draws.size(random, 0, 1)}
    axes = draws.axes(random, len(shape))
    if kind == "ReduceSum":
        return Drawn(kind, shape, (draws.integers(axes),), keep)
    return Drawn(kind, shape, (), {"axes": axes, **keep})


def best(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    how = {"axis": draws.axis(random, len(shape)), "keepdims": draws.size(random, 0, 1)}
    return Drawn(kind, shape, (), how)


def topk(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    axis = draws.axis(random, len(shape))
    how = {"axis": axis, "largest": draws.size(random, 0, 1)}
    return Drawn(
        kind, shape, (draws.integers([draws.size(random, 1, shape[axis])]),), how, outputs=2
    )


def cumsum(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    how = {"exclusive": draws.size(random, 0, 1), "reverse": draws.size(random, 0, 1)}
    return Drawn(kind, shape, (np.int64(draws.axis(random, len(shape))),), how)


def binary(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random, 2, 5)
    constant = draws.normal(random, *draws.broadcast(random, shape))
    if kind == "Div":
        constant = np.sign(constant) * (np.abs(constant) + np.float32(0.5))
    return Drawn(kind, shape, (constant,), first=kind != "Pow" and bool(random.integers(2)))


def prelu(random: Generator, kind: str) -> Drawn:
    shape = draws.image(random)
    slopes = draws.one_of(random, (1,), (shape[1], 1, 1), (1, 1, shape[3]))
    return Drawn(kind, shape, (draws.normal(random, *slopes),))


def clip(random: Generator, kind: str) -> Drawn:
    low, high = np.sort(draws.normal(random, 2))
    limits = draws.one_of(random, (low, high), (low,), (None, high), (np.float32(0), np.float32(6)))
    return Drawn(kind, draws.shape(random), limits)


def unary(random: Generator, kind: str) -> Drawn:
    return Drawn(kind, draws.shape(random, 2, 5))


def by_alpha(random: Generator, kind: str) -> Drawn:
    how = {} if random.integers(3) == 0 else {"alpha": float(random.uniform(0.05, 2))}
    return Drawn(kind, draws.shape(random), (), how)


def matmul(random: Generator, kind: str) -> Drawn:
    shape = draws.shape(random)
    if len(shape) > 2 and random.integers(3) == 0:
        left = draws.normal(random, draws.size(random, 1, 5), shape[-2])
        return Drawn(kind, shape, (left,), first=True)
    batch = shape[:-2] if random.integers(3) == 0 else ()
    return Drawn(kind, shape, (draws.normal(random, *batch, shape[-1], draws.size(random, 1, 5)),))


def gemm(random: Generator, kind: str) -> Drawn:
    inputs, outputs = draws.sizes(random, 2, 1, 6)
    turned = draws.size(random, 0, 1)
    weight = draws.normal(random, *((outputs, inputs) if turned else (inputs, outputs)))
    bias = draws.one_of(random, (), (outputs,), (1, outputs), (1,), None)
    how = {"transB": turned, "alpha": float(draws.one_of(random, 1, 0.5)), "beta": float(2)}
    constants = (weight,) if bias is None else (weight, draws.normal(random, *bias))
    return Drawn(kind, (1, inputs), constants, how)


def layer_norm(random: Generator, kind: str) -> Drawn:
    shape = (*draws.shape(random, 2, 3), draws.size(random, 2, 6))
    axis = draws.size(random, 1, len(shape) - 1)
    gain, offset = (draws.normal(random, *shape[axis:]) for _ in range(2))
    counted = axis - len(shape) * int(random.integers(2))
    both = (gain, offset) if random.integers(2) else (gain,)
    return Drawn(kind, shape, both, {"axis": counted})


def by_channel(random: Generator, kind: str) -> Drawn:
    shape = draws.image(random)
    values = [draws.normal(random, shape[1]) for _ in range(4)]
    values[3] = np.abs(values[3]) + np.float32(0.1)
    return Drawn(kind, shape, tuple(values[: 4 if kind == "BatchNormalization" else 2]))


def lrn(random: Generator, kind: str) -> Drawn:
    return Drawn(
        kind,
        draws.image(random, draws.size(random, 3, 6)),
        (),
        {"size": draws.one_of(random, 1, 3, 5)},
    )
