"""``Quantization``: the backend-neutral result of quantizing one model."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fqbench.quantize.algorithms import Range


@dataclass(frozen=True)
class Quantization:
    """Ranges of one model, by the tensor names of its canonical ONNX graph.

    ``ranges``: what eight bits shall represent of each activation. ``weight_amax``: largest
    magnitude of each output channel of a weight. ``float_layers``: layers that stay in float,
    each with why. ``bias_corrections``: what is added to the bias of a layer that is rounded, by
    the layer's name, see ``bias``.
    """

    method: str
    algorithm: str
    images: int
    ranges: Mapping[str, Range]
    weight_amax: Mapping[str, tuple[float, ...]]
    float_layers: Mapping[str, str]
    bias_corrections: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def corrections_of(self, layers: Collection[str]) -> dict[str, tuple[float, ...]]:
        """The bias corrections of ``layers``: those that a backend rounds."""
        return {name: c for name, c in self.bias_corrections.items() if name in layers}

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True, allow_nan=False))

    @staticmethod
    def read(path: Path) -> Quantization:
        """Read what ``write`` wrote."""
        data = json.loads(path.read_text())
        data["ranges"] = {name: Range(**ends) for name, ends in data["ranges"].items()}
        for key in ("weight_amax", "bias_corrections"):
            data[key] = {k: tuple(v) for k, v in data[key].items()}
        return Quantization(**data)
