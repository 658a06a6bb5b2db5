"""The shapes of a model's outputs, as its file or the runtime has them, in messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError, UsageError
from fqbench.tasks.record import Outputs, Shape

FREE = -1
"""A size that the file leaves open."""


def shown(shape: Shape) -> str:
    """The shape as text, sizes left open as a question mark."""
    return "[" + ", ".join("?" if size == FREE else str(size) for size in shape) + "]"


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
