"""The codes that int8 weights may have: all of them, or those that some kernels compute rightly.

CPUs without VNNI add two products in 16 bits. What fits there: 255 * 63 * 2 = 32130, and
255 * 128 = 32640, so either no code is larger than 63, or no two that are multiplied side by side
are together larger than 128. Where activations are signed, oneDNN halves weights and rounds them
again: even codes are halved exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fqbench.quantize.affine import INT8_MAX

NARROW_MAX, PAIR_MAX = 63, 128

GridName = Literal["narrow", "paired", "halved"]


@dataclass(frozen=True)
class Grid:
    """Codes within ``limit``, which stands for a channel's largest weight, by ``step``.

    The largest weight has the code ``limit`` whatever the step is. ``paired``: whether the codes of
    neighbouring input channels (0 and 1, 2 and 3, ...) that have one sign add up to ``PAIR_MAX`` at
    most.
    """

    limit: int = INT8_MAX
    step: int = 1
    paired: bool = False


FULL = Grid()
SAFE: dict[GridName, Grid] = {
    "narrow": Grid(NARROW_MAX),
    "paired": Grid(paired=True),
    "halved": Grid(step=2),
}
"""Grids of weights that saturate in no kernel that is used with them."""
