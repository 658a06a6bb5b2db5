"""``Quantization``: the backend-neutral result of quantizing one model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Quantization:
    """Scales of one model, by the tensor names of its canonical ONNX graph.

    ``amax``: largest magnitude to represent, a tensor. ``weight_amax``: the same, one value an
    output channel, a weight. ``float_layers``: convolutions that stay in float, each with why.
    """

    method: str
    algorithm: str
    images: int
    amax: Mapping[str, float]
    weight_amax: Mapping[str, tuple[float, ...]]
    float_layers: Mapping[str, str]

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True, allow_nan=False))

    @staticmethod
    def read(path: Path) -> Quantization:
        """Read what ``write`` wrote."""
        data = json.loads(path.read_text())
        data["weight_amax"] = {k: tuple(v) for k, v in data["weight_amax"].items()}
        return Quantization(**data)
