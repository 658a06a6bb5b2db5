"""``Setting``: one of the ways in which a quantization can be lowered for a backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fqbench.quantize.record import Quantization, SafeForm


@dataclass(frozen=True)
class Setting:
    """``float_layers`` stay in float, ``wide`` tensors take their wide range.

    ``safe`` layers have weights that saturate on no CPU: of another grid of codes, or, where
    ``unsigned``, of eight bits as uint8. ``float_silu``: whether SiLU is computed in float between
    integers. ``zero_points``: layers that read codes with a zero point where a backend can do
    without, as safe ones do. ``products``: products of two activations that multiply integers.
    Layers, tensors and products by their names.
    """

    float_layers: frozenset[str] = frozenset()
    wide: frozenset[str] = frozenset()
    safe: frozenset[str] = frozenset()
    unsigned: bool = False
    float_silu: bool = False
    zero_points: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()

    @property
    def unsigned_layers(self) -> frozenset[str]:
        """The layers whose weights are uint8."""
        return self.safe if self.unsigned else frozenset()

    def applied(self, record: Quantization, forms: Mapping[str, SafeForm]) -> Quantization:
        """The record as it is lowered. ``forms``: what makes safe layers safe."""
        kept = {**dict.fromkeys(sorted(self.float_layers), ""), **record.float_layers}
        integers = sorted(self.safe - kept.keys())
        safe = {} if self.unsigned else {name: forms[name] for name in integers}
        chosen = record.widened(self.wide).with_codes(safe)
        zero_points = tuple(sorted(self.zero_points | self.safe))
        products = tuple(sorted(self.products))
        return replace(chosen, float_layers=kept, zero_points=zero_points, products=products)
