"""``Quantization``: the backend-neutral result of quantizing one model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from fqbench.quantize.algorithms import Range


@dataclass(frozen=True)
class Quantization:
    """Ranges of one model, by the tensor names of its canonical ONNX graph.

    ``ranges``: what eight bits shall represent of each activation. ``weight_amax``: largest
    magnitude of each output channel of a weight. ``float_layers``: layers that stay in float,
    each with why.
    """

    method: str
    algorithm: str
    images: int
    ranges: Mapping[str, Range]
    weight_amax: Mapping[str, tuple[float, ...]]
    float_layers: Mapping[str, str]

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True, allow_nan=False))

    @staticmethod
    def read(path: Path) -> Quantization:
        """Read what ``write`` wrote."""
        data = json.loads(path.read_text())
        data["ranges"] = {name: Range(**ends) for name, ends in data["ranges"].items()}
        data["weight_amax"] = {k: tuple(v) for k, v in data["weight_amax"].items()}
        return Quantization(**data)
