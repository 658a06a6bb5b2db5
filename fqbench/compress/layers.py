"""The names that a config calls layers by, and the layers of the canonical graph they mean."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pydantic import TypeAdapter

from fqbench.compress.config import PRODUCTS, QuantAware
from fqbench.errors import UsageError
from fqbench.jsonvalue import Json

DEFAULT_PATTERN = "skip_quant"
"""A mark that code of a network may carry; model files do not, so it may match nothing."""

_FUSED = r"(?:Conv[A-Z]\w*?Fusion_(?:W|B|BN_B)_)*"
"""What ONNX Runtime puts before the name of a weight that it folds a batch norm into."""

SHOWN = 5


@dataclass(frozen=True)
class Layer:
    """A layer by its own name, its kind (as Paddle calls it), and the tensors that it reads.

    ``variable``: what Paddle calls its weight in the converted model; None where it was not asked.
    """

    name: str
    kind: str
    source: str
    weight: str
    variable: str | None = None


@dataclass(frozen=True)
class Layers:
    """The layers of a canonical graph that can be quantized, in its order.

    ``tensors``: all of the graph, by what they may be called. ``transposed``: how many transposed
    convolutions there are.
    """

    layers: tuple[Layer, ...]
    tensors: Mapping[str, str]
    transposed: int

    @staticmethod
    def of(found: Json) -> Layers:
        """From what ``fqbench.compress.names`` wrote."""
        return TypeAdapter(Layers).validate_python(found)


def canonical_name(name: str) -> str:
    """``name`` as the canonical graph spells it; ``*``, ``?`` and brackets stay for patterns."""
    text = re.sub(r"[^\w*?\[\]]", "_", name, flags=re.ASCII)
    return text if re.match(r"[A-Za-z_*?\[]", text) else f"t_{text}"


def kept_float(layers: Layers, asked: QuantAware, skipped: Sequence[str]) -> dict[str, str]:
    """The layers that a config keeps in float, by name, and which key says so.

    ``skipped``: names of layers or of tensors that they read (weights included), or patterns.
    Raises UsageError with the key and a name that matches nothing.
    """
    kept = {
        layer.name: f"QuantAware.quantize_op_types does not name {layer.kind}"
        for layer in layers.layers
        if asked.quantize_op_types is not None and not _is_of(layer, asked.quantize_op_types)
    }
    for pattern in asked.not_quant_pattern:
        key = "QuantAware.not_quant_pattern"
        found = [layer for layer in layers.layers if canonical_name(pattern) in layer.name]
        if not found and pattern != DEFAULT_PATTERN:
            raise _nothing(key, pattern, "part of the name of no layer", layers)
        kept.update(dict.fromkeys((layer.name for layer in found), f"{key} names {pattern}"))
    for name in skipped:
        key = "PTQ.skip_tensor_list"
        found = [layer for layer in layers.layers if _reads(layer, name)]
        if not found:
            raise _nothing(key, name, "no layer, and no tensor that one reads", layers)
        kept.update(dict.fromkeys((layer.name for layer in found), f"{key} names {name}"))
    if layers.layers and len(kept) == len(layers.layers):
        raise UsageError(
            f"the config keeps all {len(kept)} layers in float, nothing is left to quantize:"
            f" {next(iter(kept.values()))}"
            "; leave some to quantize"
        )
    return kept


def unknown(layers: Layers, skipped: Sequence[str]) -> bool:
    """Whether one of ``skipped`` matches no layer, so that only Paddle's names are left."""
    return any(not any(_reads(layer, name) for layer in layers.layers) for name in skipped)


def nodes(layers: Layers, names: Sequence[str]) -> tuple[str, ...]:
    """The tensors that ``Distillation.node`` names. Raises UsageError for one that is not there."""
    found = []
    for name in names:
        if canonical_name(name) not in layers.tensors:
            close = _listed(sorted(layers.tensors), canonical_name(name))
            raise UsageError(
                f"Distillation.node: {name!r} is no tensor of the model, which has {close}"
            )
        found.append(layers.tensors[canonical_name(name)])
    return tuple(found)


def _is_of(layer: Layer, kinds: Sequence[str]) -> bool:
    same = PRODUCTS if layer.kind in PRODUCTS else (layer.kind,)
    return any(kind in same for kind in kinds)


def _reads(layer: Layer, name: str) -> bool:
    """Whether ``name`` (or pattern) is the layer, or a tensor that it reads."""
    wanted = canonical_name(name)
    own = [layer.name, layer.source, layer.weight, re.sub(f"^{_FUSED}", "", layer.weight)]
    if layer.variable is not None:
        own.append(canonical_name(layer.variable))
    return any(fnmatchcase(each, wanted) for each in own)


def _nothing(key: str, name: str, matches: str, layers: Layers) -> UsageError:
    return UsageError(
        f"{key}: {name!r} is {matches}; the {len(layers.layers)} layers are"
        f" {_listed([layer.name for layer in layers.layers], canonical_name(name))}"
    )


def _listed(names: Sequence[str], like: str) -> str:
    """A few of ``names``, those first that are spelled like ``like``."""
    close = difflib.get_close_matches(like, names, n=SHOWN)
    shown = [*close, *(name for name in names if name not in close)][:SHOWN]
    return ", ".join(shown) + (", …" if len(names) > SHOWN else "")
