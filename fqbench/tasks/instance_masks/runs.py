"""Masks as run lengths, in COCO's order: down the columns, pixels outside first.

Not by pycocotools: not every environment that decodes has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Runs = NDArray[np.uint32]
"""Lengths of runs, by turns outside of the mask and inside; the first may be 0."""


def encode(mask: NDArray[np.bool_]) -> Runs:
    """The runs of ``mask`` [height, width]."""
    flat = mask.ravel(order="F")
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    first = [0] if flat[0] else []
    return np.diff([*first, 0, *turns, flat.size]).astype(np.uint32)


def decode(runs: Runs, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask [height, width] of these runs."""
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(size, order="F")
