"""``Choice``: how one model is lowered for one backend, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fqbench.quantize.record import Quantization, SafeForm

ACCURACY = "rounding it costs too much accuracy"
SPEED = "float is faster here"

SAFE, UNSIGNED, EIGHT_BITS = "7-bit codes", "uint8 weights", "8-bit codes"
"""Forms of a layer's products: codes that saturate nowhere, in 7 bits of weights or activations;
uint8 weights; 8 bits of both."""


@dataclass(frozen=True)
class LayerCost:
    """One layer: what quantizing it costs, and how long its kernel takes.

    ``own_error``: relative squared error of its result when it is given FP32's input. ``error``:
    what is estimated for the model when it alone is quantized. Times in milliseconds. None
    where it was not measured.
    """

    name: str
    own_error: float | None
    error: float | None
    fp32_ms: float | None
    int8_ms: float | None


@dataclass(frozen=True)
class Choice:
    """The layers that stay in float, each with why; the error before and after; what was tried.

    ``float_silu``: whether SiLU is computed in float between integers. ``wide``: tensors that take
    the record's wide range. ``forms``: milliseconds of each form of the graph that was timed.
    ``safe``: layers that saturate on no CPU where they run in INT8, and by what; ``unsigned``:
    those that do by uint8 weights. ``weights``: the error with each form of weights that
    was tried. ``slowdown``: the time of an inference as a part of FP32's, None if it was not timed.
    ``zero_points``: layers that read codes with a zero point, beside those that are safe.
    ``products``: products of two activations that multiply integers.
    """

    float_layers: Mapping[str, str]
    float_silu: bool
    wide: tuple[str, ...]
    error_all_int8: float
    error: float
    layers: tuple[LayerCost, ...]
    forms: Mapping[str, float]
    safe: Mapping[str, SafeForm] = field(default_factory=dict)
    unsigned: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    slowdown: float | None = None
    zero_points: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, allow_nan=False))

    def applied(self, quantization: Quantization) -> Quantization:
        """The record as this backend lowers it."""
        safe = {n: form for n, form in self.safe.items() if n not in self.float_layers}
        chosen = quantization.widened(self.wide).with_codes(safe)
        zero_points = tuple(sorted({*self.zero_points, *self.safe}))
        return replace(
            chosen,
            float_layers=self.float_layers,
            zero_points=zero_points,
            products=self.products,
        )

    def in_integers(self, layers: Iterable[str]) -> int:
        """How many of ``layers`` run in INT8."""
        return sum(name not in self.float_layers for name in layers)

    @staticmethod
    def read(path: Path) -> Choice:
        """Read what ``write`` wrote."""
        return Choice.from_json(json.loads(path.read_text()))

    @staticmethod
    def from_json(found: Mapping[str, Any]) -> Choice:
        """What ``asdict`` made of one, once it was JSON."""
        data = dict(found)
        data["layers"] = tuple(LayerCost(**layer) for layer in data["layers"])
        for key in ("wide", "unsigned", "zero_points", "products"):
            data[key] = tuple(data.get(key, ()))
        return Choice(**data)
