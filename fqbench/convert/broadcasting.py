"""How the shape of a constant fits that of what it is combined with: arithmetic only."""

from __future__ import annotations

from collections.abc import Sequence


def repeats_within(constant: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether an axis along which ``constant`` is repeated to ``shape`` lies between others.

    As [1, 3, 1, 1, 2] to [1, 3, 80, 80, 2]: for that, oneDNN has only its reference kernel.
    """
    axes = [own for own, whole in zip(constant, shape, strict=False) if whole != 1]
    wholes = [whole for whole in shape if whole != 1]
    if len(constant) != len(shape) or any(
        o not in (1, w) for o, w in zip(axes, wholes, strict=True)
    ):
        return False
    kept = [number for number, own in enumerate(axes) if own != 1]
    return bool(kept) and kept[-1] - kept[0] >= len(kept)
