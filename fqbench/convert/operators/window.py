"""Windows that slide over images, as convolutions and poolings have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fqbench.convert.operators.operator import Operator

Pads = tuple[tuple[int, int], ...]
"""For each spatial axis, how many places are added before and after."""


@dataclass(frozen=True)
class Window:
    """Per spatial axis: the window's size, its steps, the distance of its places, and paddings."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Pads

    @property
    def extents(self) -> tuple[int, ...]:
        """How many places the window spans along each axis."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def symmetric(self) -> bool:
        """Whether as much is added before as after, along every axis."""
        return all(before == after for before, after in self.pads)

    @property
    def flat_pads(self) -> list[int]:
        """As Paddle takes them: before and after of the first axis, of the second, ..."""
        return [value for pair in self.pads for value in pair]


def window_of(op: Operator, kernel: Sequence[int], image: Sequence[int]) -> Window:
    """The window of ``op`` over an ``image`` of these sizes; see ONNX's ``auto_pad``."""
    rank = len(kernel)
    strides = tuple(op.attribute("strides", [1] * rank))
    dilations = tuple(op.attribute("dilations", [1] * rank))
    given = op.attribute("pads", [0] * (2 * rank))
    window = Window(
        tuple(kernel), strides, dilations, tuple(zip(given[:rank], given[rank:], strict=True))
    )
    auto = op.attribute("auto_pad", "NOTSET")
    if auto == "VALID":
        return Window(window.kernel, strides, dilations, ((0, 0),) * rank)
    if not auto.startswith("SAME"):
        return window
    pads = []
    for size, stride, extent in zip(image, strides, window.extents, strict=True):
        whole = max((-(-size // stride) - 1) * stride + extent - size, 0)
        less, more = whole // 2, whole - whole // 2
        pads.append((less, more) if auto == "SAME_UPPER" else (more, less))
    return Window(window.kernel, strides, dilations, tuple(pads))
