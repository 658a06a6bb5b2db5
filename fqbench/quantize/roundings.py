"""Where a backend rounds activations, for a student that rounds the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import onnx

from fqbench.quantize.affine import Affine
from fqbench.quantize.pairs import QdqPlacement
from fqbench.quantize.record import Quantization

SIGNED_ZERO = 128
"""Zero point by which int8 codes are the same as uint8 codes."""


@dataclass(frozen=True)
class Rounding:
    """A tensor that ``readers`` (names of nodes) read rounded to ``codes``."""

    tensor: str
    codes: Affine
    readers: frozenset[str]


@dataclass(frozen=True)
class Roundings:
    """All tensors that are rounded, and the layers (by name) whose weights are.

    ``narrow``: the layers whose weights are rounded to seven bits.
    """

    tensors: tuple[Rounding, ...]
    layers: frozenset[str]
    narrow: frozenset[str] = frozenset()


class FindRoundings(Protocol):
    """Finds where a backend rounds a model, as its lowering does."""

    def __call__(
        self, model: onnx.ModelProto, quantization: Quantization, *, float_silu: bool
    ) -> Roundings:
        """``float_silu``: whether SiLU is computed in float between integers."""
        ...


def without_zero_points(layers: frozenset[str], tensors: Mapping[str, QdqPlacement]) -> Roundings:
    """Those of ``layers`` and ``tensors`` whose codes have no zero point."""
    found = []
    for name, placement in sorted(tensors.items()):
        zero = SIGNED_ZERO if placement.params.zero_point.dtype == np.int8 else 0
        codes = Affine(float(placement.params.scale), zero)
        found.append(Rounding(name, codes, placement.readers))
    return Roundings(tuple(found), layers)
