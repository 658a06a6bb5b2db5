"""Images made larger and smaller.

Paddle's own operators compute one of ONNX's kinds each. The others are copies by index, or products
with the matrix of the interpolation, axis by axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from paddle.nn import functional

from fqbench.convert.interpolation import Axis, Filter, matrix, nearest, positions
from fqbench.convert.operators.operator import (
    Array,
    Operator,
    Unsupported,
    Variable,
    converts,
    emit,
    in_blocks,
    parameter,
    plain,
    sizes,
)

IMAGE = 4
"""Axes of [n, c, h, w]."""

PADDINGS = {"zeros": "zeros", "border": "border", "reflection": "reflection"}


@converts("Resize")
def resize(op: Operator) -> Variable:
    """By scales or to sizes, in all modes but the cropping one."""
    axes = _axes(op)
    transformation = op.attribute("coordinate_transformation_mode", "half_pixel")
    try:
        found = {i: positions(axis, transformation) for i, axis in axes.items()}
    except ValueError:
        raise Unsupported(f"mode {transformation} has no form in Paddle") from None
    if op.attribute("mode", "nearest") == "nearest":
        rounding = op.attribute("nearest_mode", "round_prefer_floor")
        places = {i: nearest(found[i], axis.size, rounding) for i, axis in axes.items()}
        return _copied(op.variable(0), axes, places)
    used = Filter(
        op.attribute("mode", "nearest"),
        op.attribute("cubic_coeff_a", -0.75),
        bool(op.attribute("exclude_outside", 0)),
        bool(op.attribute("antialias", 0)),
    )
    if used.mode == "linear" and not used.antialias and _is_plane(op.variable(0), axes):
        fitting = all(np.isclose(a.scale * a.size, a.target) for a in axes.values())
        longer = all(axis.target > 1 for axis in axes.values())
        if fitting and longer and transformation in ("half_pixel", "pytorch_half_pixel"):
            return _interpolated(op.variable(0), axes, "bilinear")
    blocked = in_blocks(op.graph, op.node.input[0])
    source = plain(op.variable(0)) if blocked else op.variable(0)
    return _multiplied(source, {i: matrix(axis, found[i], used) for i, axis in axes.items()})


def _axes(op: Operator) -> dict[int, Axis]:
    """The axes that change, by their number."""
    shape = op.shape(0)
    which = [axis % len(shape) for axis in op.attribute("axes", range(len(shape)))]
    scales = op.known(2)
    if scales is not None and scales.size:
        targets = [
            int(np.floor(np.float32(shape[axis]) * np.float32(scale)))
            for axis, scale in zip(which, scales, strict=True)
        ]
        factors = [float(scale) for scale in scales]
    else:
        targets = op.numbers(3, "its sizes")
        factors = [target / shape[axis] for axis, target in zip(which, targets, strict=True)]
        policy = op.attribute("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            one = (min if policy == "not_larger" else max)(factors)
            factors = [one] * len(which)
            targets = [int(np.floor(one * shape[axis] + 0.5)) for axis in which]
    found = zip(which, targets, factors, strict=True)
    return {i: Axis(shape[i], t, f) for i, t, f in found if (t, f) != (shape[i], 1.0)}


def _is_plane(source: Variable, axes: dict[int, Axis]) -> bool:
    """Whether only height and width of images change."""
    return len(source.shape) == IMAGE and bool(axes) and min(axes) >= 2


def _interpolated(source: Variable, axes: dict[int, Axis], mode: str) -> Variable:
    targets = [axes[i].target if i in axes else sizes(source)[i] for i in (2, 3)]
    return functional.interpolate(source, size=targets, mode=mode, align_mode=0)


def _copied(source: Variable, axes: dict[int, Axis], places: dict[int, Array]) -> Variable:
    """Of nearest places. Paddle's own operator where it, and oneDNN's, take the same ones."""
    shape = sizes(source)
    if _is_plane(source, axes) and all(_repeats(places[i], axes[i]) for i in axes):
        targets = [axes[i].target if i in axes else shape[i] for i in (2, 3)]
        return functional.interpolate(source, size=targets, mode="nearest")
    result = source
    for i, chosen in places.items():
        result = paddle.gather(result, parameter(chosen), axis=i)
    return result


def _repeats(places: Array, axis: Axis) -> bool:
    """Whether each place of the source is copied equally often."""
    times, rest = divmod(axis.target, axis.size)
    return rest == 0 and np.array_equal(places, np.arange(axis.target) // times)


def _multiplied(source: Variable, matrices: dict[int, Array]) -> Variable:
    """``source`` with each of the axes interpolated by its matrix [target, size]."""
    result, rank = source, len(source.shape)
    for i, of_axis in matrices.items():
        if i == rank - 1:
            result = paddle.matmul(result, parameter(np.ascontiguousarray(of_axis.T)))
        elif i == rank - 2:
            result = paddle.matmul(parameter(of_axis), result)
        else:
            order = [*(axis for axis in range(rank) if axis != i), i]
            moved = paddle.matmul(
                paddle.transpose(result, order), parameter(np.ascontiguousarray(of_axis.T))
            )
            result = paddle.transpose(moved, [int(at) for at in np.argsort(order)])
    return result


@converts("GridSample")
def grid_sample(op: Operator) -> Variable:
    """Values of an image at computed places."""
    mode = op.attribute("mode", "bilinear")
    if mode not in ("bilinear", "linear", "nearest") or len(op.shape(0)) != IMAGE:
        raise Unsupported(f"mode {mode} of {len(op.shape(0))} axes has no form in Paddle")
    return functional.grid_sample(
        op.variable(0),
        op.variable(1),
        mode="nearest" if mode == "nearest" else "bilinear",
        padding_mode=op.attribute("padding_mode", "zeros"),
        align_corners=bool(op.attribute("align_corners", 0)),
    )


@converts("DepthToSpace")
def depth_to_space(op: Operator) -> Variable:
    """Channels into places, in either order."""
    n, c, h, w = op.shape(0)
    block = op.attribute("blocksize", 1)
    inner = c // block**2
    if op.attribute("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(op.variable(0), block)
    apart = paddle.reshape(op.variable(0), [n, block, block, inner, h, w])
    moved = paddle.transpose(apart, [0, 3, 4, 1, 5, 2])
    return paddle.reshape(moved, [n, inner, h * block, w * block])


@converts("SpaceToDepth")
def space_to_depth(op: Operator) -> Variable:
    """Places into channels."""
    n, c, h, w = op.shape(0)
    block = op.attribute("blocksize", 1)
    apart = paddle.reshape(op.variable(0), [n, c, h // block, block, w // block, block])
    moved = paddle.transpose(apart, [0, 3, 5, 1, 2, 4])
    return paddle.reshape(moved, [n, c * block**2, h // block, w // block])


def shuffled(source: Variable, groups: int) -> Variable:
    """``source`` with its channels shuffled, by the operator that oneDNN has for that."""
    return emit("shuffle_channel", {"X": source}, {"group": groups})


def transposes_channels(order: Sequence[int]) -> bool:
    """Whether a transpose between two reshapes is that of a channel shuffle."""
    return list(order) == [0, 2, 1, 3, 4]
