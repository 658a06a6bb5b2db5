"""The codes that int8 weights may have: all of them, or those that some kernels compute exactly.

CPUs without VNNI add two products in 16 bits, where 255 * 63 * 2 = 32130 fits: weights within 63
saturate with no uint8 activation. Where activations are signed, oneDNN halves weights and rounds
them again: even codes are halved exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fqbench.quantize.affine import INT8_MAX

GridName = Literal["narrow", "halved"]


@dataclass(frozen=True)
class Grid:
    """Codes within ``limit``, which stands for a channel's largest weight, by ``step``.

    The largest weight has the code ``limit`` whatever the step is.
    """

    limit: int = INT8_MAX
    step: int = 1


FULL = Grid()
SAFE: dict[GridName, Grid] = {"narrow": Grid(limit=63), "halved": Grid(step=2)}
"""Grids of weights that saturate in no kernel that is used with them."""
