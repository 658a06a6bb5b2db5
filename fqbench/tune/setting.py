"""``Setting``: one of the ways in which a quantization can be lowered for a backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fqbench.quantize.record import Quantization


@dataclass(frozen=True)
class Setting:
    """``float_layers`` stay in float, ``wide`` tensors take their wide range.

    ``narrow`` layers have weights of seven bits, or, where ``unsigned``, of eight bits as uint8:
    neither saturates on any CPU. ``float_silu``: whether SiLU is computed in float between
    integers. Layers and tensors by their names.
    """

    float_layers: frozenset[str] = frozenset()
    wide: frozenset[str] = frozenset()
    narrow: frozenset[str] = frozenset()
    unsigned: bool = False
    float_silu: bool = False

    @property
    def unsigned_layers(self) -> frozenset[str]:
        """The layers whose weights are uint8."""
        return self.narrow if self.unsigned else frozenset()

    def applied(self, record: Quantization, steps: Mapping[str, int]) -> Quantization:
        """The record as it is lowered. ``steps``: of the codes of seven bits, by the layer."""
        kept = {**dict.fromkeys(sorted(self.float_layers), ""), **record.float_layers}
        narrow = {} if self.unsigned else {name: steps[name] for name in sorted(self.narrow)}
        return replace(record.widened(self.wide).narrowed(narrow), float_layers=kept)
