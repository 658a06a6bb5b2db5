"""The shapes of a model's outputs, as its file or the runtime has them, in messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError, UsageError
from fqbench.tasks.record import Outputs, Shape, Size

FREE = -1
"""A size that the file leaves open."""

LEAST_STRIDE, LARGEST_STRIDE = 0.5, 64
"""Pixels of the input, along an axis, that a place of an output stands for."""


def shown(shape: Shape) -> str:
    """The shape as text, sizes left open as a question mark."""
    return "[" + ", ".join("?" if size == FREE else str(size) for size in shape) + "]"


def is_grid(size: Size, places: Sequence[int]) -> bool:
    """Whether ``places`` (height, width) may be those of an input of this size, at any stride."""
    if len(places) != 2 or min(places) < 1:
        return False
    strides = [pixels / place for pixels, place in zip(size, places, strict=True)]
    if not all(LEAST_STRIDE <= stride <= LARGEST_STRIDE for stride in strides):
        return False
    # Both axes have one stride; where it does not divide the size, a place more or less.
    return abs(size[0] / strides[1] - places[0]) <= 1 or abs(size[1] / strides[0] - places[1]) <= 1


def of_places(size: Size, outputs: Sequence[Shape]) -> bool:
    """Whether there is one output [1, several, h, w] of places all over the input."""
    shape = outputs[0] if len(outputs) == 1 else ()
    if len(shape) != 4 or FREE in shape[1:] or min(shape[1:]) < 2:
        return False
    return is_grid(size, shape[2:])


def unexpected_shapes(kind: str, outputs: Sequence[Shape], expected: str) -> UsageError:
    """What is wrong with a file whose outputs a decoder of this ``kind`` cannot read."""
    shapes = ", ".join(map(shown, outputs)) or "none"
    return UsageError(f"the outputs have shapes {shapes}, decode.kind {kind!r} needs {expected}")


def unexpected_outputs(outputs: Outputs, expected: str) -> StepError:
    """What is wrong with outputs that a decoder cannot read."""
    found = " and ".join(str(list(output.shape)) for output in outputs) or "none"
    return StepError(f"the model's outputs have the shapes {found}, expected {expected}")


def finite(values: NDArray[Any]) -> NDArray[np.float32]:
    """The values as float32. Raises StepError where they hold NaN or infinities."""
    values = np.asarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise StepError("the model's output holds NaN or infinite values")
    return values
