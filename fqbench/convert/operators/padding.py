"""Constants around tensors, by the operators that do so without harm."""

from __future__ import annotations

from collections.abc import Mapping

import paddle
from paddle.nn import functional

from fqbench.convert.operators.operator import Variable, sizes

SPATIAL = {4: (2, 3), 5: (2, 3, 4)}
"""Axes of images, by their number, that Paddle's operator for images pads."""


def padded(x: Variable, amounts: Mapping[int, tuple[int, int]], value: float) -> Variable:
    """``x`` with ``value`` before and after the places of axes, none negative.

    Not by Paddle 2.6.2's ``pad``: its kernel by oneDNN writes beyond its memory behind a
    convolution. What is no image is joined with constants.
    """
    used = {axis: pair for axis, pair in amounts.items() if any(pair)}
    shape = list(sizes(x))
    images = SPATIAL.get(len(shape), ())
    if used and set(used) <= set(images) and x.dtype == paddle.float32:
        flat = [amount for axis in reversed(images) for amount in used.get(axis, (0, 0))]
        layout = "NCHW" if len(images) == 2 else "NCDHW"
        return functional.pad(x, flat, mode="constant", value=value, data_format=layout)
    for axis, (before, after) in used.items():
        parts = [
            paddle.full([*shape[:axis], amount, *shape[axis + 1 :]], value, x.dtype)
            for amount in (before, after)
        ]
        shape[axis] += before + after
        kept = [(parts[0], before), (x, 1), (parts[1], after)]
        x = paddle.concat([part for part, count in kept if count], axis)
    return x
