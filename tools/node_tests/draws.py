"""What shapes and attributes of an operator are drawn of, from what its definition allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator

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


def size(random: Generator, low: int, high: int) -> int:
    return int(random.integers(low, high + 1))


def sizes(random: Generator, count: int, low: int, high: int) -> list[int]:
    return [size(random, low, high) for _ in range(count)]


def shape(random: Generator, least: int = 2, most: int = 4) -> Shape:
    """Of one image, of any rank."""
    return (1, *sizes(random, size(random, least, most) - 1, 1, 6))


def image(random: Generator, channels: int | None = None) -> Shape:
    return (1, channels or size(random, 1, 6), *sizes(random, 2, 5, 11))


def one_of(random: Generator, *choices: Any) -> Any:
    return choices[int(random.integers(len(choices)))]


def normal(random: Generator, *shape: int) -> Any:
    return random.normal(0, 1, shape).astype(np.float32)


def axes(random: Generator, rank: int) -> list[int]:
    """Some axes, some of them counted from the last."""
    count = size(random, 1, rank)
    axes = random.choice(rank, count, replace=False)
    return [int(axis) - rank * int(random.integers(2)) for axis in axes]


def axis(random: Generator, rank: int) -> int:
    return int(random.integers(-rank, rank))


def integers(values: Any) -> Any:
    return np.array(values, np.int64)


def broadcast(random: Generator, shape: Shape) -> Shape:
    """What broadcasts to ``shape``."""
    kept = shape[size(random, 0, len(shape)) :]
    return tuple(1 if random.integers(3) == 0 else size for size in kept)


def window(random: Generator) -> dict[str, Any]:
    """Kernel, strides and padding of two axes; none is wider than the kernel."""
    kernel = sizes(random, 2, 1, 4)
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": sizes(random, 2, 1, 3)}
    same = one_of(random, None, None, None, "SAME_UPPER", "SAME_LOWER", "VALID")
    if same is not None:
        return {**how, "auto_pad": same}
    return {**how, "pads": [size(random, 0, side - 1) for side in (*kernel, *kernel)]}
