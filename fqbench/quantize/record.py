"""``Quantization``: the backend-neutral result of quantizing one model."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, TypedDict

from fqbench.quantize.affine import INT8_MAX, UINT8_LEVELS
from fqbench.quantize.algorithms import Range
from fqbench.quantize.grids import SAFE, GridName

SafeForm = Literal[GridName, "coarse"]
"""How a layer is computed exactly on CPUs without VNNI, too: by weights of another grid, or by
7-bit activations."""


@dataclass(frozen=True)
class RoundedWeight:
    """A layer's weight as int8 codes, in C order with output channels first, and what is added to
    its bias [output channels]."""

    codes: bytes
    bias: tuple[float, ...]


@dataclass(frozen=True)
class Quantization:
    """Ranges of one model, by the tensor names of its canonical ONNX graph.

    ``ranges``: of each activation, what to represent in 8 bits. ``weight_amax``: largest
    magnitude per output channel of a weight. ``float_layers``: layers that stay in float,
    each with why. ``rounded``: by layers' names, weights that are not merely rounded to the nearest
    code, see ``rounding``. ``wide``: other ranges, in which less is cut off; which of the two
    serves a backend better is found out on images. ``safe``: as ``rounded``, by the
    grid of codes. ``weights``, ``reads``: the weight and the activation that each layer reads.
    ``zero_points``: layers that read codes with a zero point where a backend has other ones, too.
    ``products``: products of two activations, by the names of nodes, that multiply integers.
    """

    method: str
    algorithm: str
    images: int
    ranges: Mapping[str, Range]
    weight_amax: Mapping[str, tuple[float, ...]]
    float_layers: Mapping[str, str]
    rounded: Mapping[str, RoundedWeight] = field(default_factory=dict)
    wide: Mapping[str, Range] = field(default_factory=dict)
    safe: Mapping[GridName, Mapping[str, RoundedWeight]] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    zero_points: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    def widened(self, tensors: Collection[str]) -> Quantization:
        """With the wide ranges of ``tensors``."""
        wide = {name: self.wide[name] for name in tensors if name in self.wide}
        return replace(self, ranges={**self.ranges, **wide})

    def with_codes(self, forms: Mapping[str, SafeForm]) -> Quantization:
        """With other codes of the layers that ``forms`` names.

        Where a layer is ``coarse``, what it reads has seven bits: the range of its codes is twice
        as large, and what was calibrated ends at code 127. Else its weights are of another grid.
        """
        amax, rounded, ranges = dict(self.weight_amax), dict(self.rounded), dict(self.ranges)
        for name in {self.reads[layer] for layer, form in forms.items() if form == "coarse"}:
            amax_of_codes = ranges[name].amax * UINT8_LEVELS / INT8_MAX
            ranges[name] = replace(ranges[name], amax=amax_of_codes)
        for layer, grid in forms.items():
            if grid == "coarse":
                continue
            name, unit = self.weights[layer], INT8_MAX / SAFE[grid].limit
            amax[name] = tuple(limit * unit for limit in self.weight_amax[name])
            if layer in self.safe.get(grid, {}):
                rounded[layer] = self.safe[grid][layer]
            else:  # the nearest codes of that grid
                rounded.pop(layer, None)
        return replace(self, weight_amax=amax, rounded=rounded, ranges=ranges)

    def reordered(self, orders: Mapping[str, Iterable[int]]) -> Quantization:
        """With the output channels of weights, by their names, in another order."""
        moved = {n: tuple(self.weight_amax[n][i] for i in order) for n, order in orders.items()}
        return replace(self, weight_amax={**self.weight_amax, **moved})

    def write(self, path: Path) -> None:
        """Write as JSON, codes in base 64."""
        data = asdict(self)
        for layers in (data["rounded"], *data["safe"].values()):
            for layer in layers.values():
                layer["codes"] = base64.b64encode(layer["codes"]).decode()
        path.write_text(json.dumps(data, indent=1, sort_keys=True, allow_nan=False))

    @staticmethod
    def read(path: Path) -> Quantization:
        """Read what ``write`` wrote."""
        data = json.loads(path.read_text())
        for key in ("ranges", "wide"):
            data[key] = {name: Range(**ends) for name, ends in data[key].items()}
        data["weight_amax"] = {name: tuple(amax) for name, amax in data["weight_amax"].items()}
        for key in ("zero_points", "products"):
            data[key] = tuple(data.get(key, ()))
        data["rounded"] = _read_codes(data["rounded"])
        data["safe"] = {grid: _read_codes(layers) for grid, layers in data["safe"].items()}
        return Quantization(**data)


class _StoredWeight(TypedDict):
    """A ``RoundedWeight`` as it is written, codes in base 64."""

    codes: str
    bias: list[float]


def _read_codes(layers: Mapping[str, _StoredWeight]) -> dict[str, RoundedWeight]:
    return {
        name: RoundedWeight(base64.b64decode(layer["codes"]), tuple(layer["bias"]))
        for name, layer in layers.items()
    }
