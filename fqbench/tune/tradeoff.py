"""``Tradeoff``: what INT8 costs and saves in each layer, and points between INT8 and FP32.

    layers ─► units ─► the order in which they go to float ─► points: the first of them in float

Pure functions and their records; ``fqbench.tune.trade`` measures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from fqbench.tune.choice import Choice
from fqbench.tune.search import minimal_float_prefix

if TYPE_CHECKING:
    from fqbench.graph.graph import Graph

FRACTIONS = (0.5, 0.25, 0.125, 0.0625, 0.03125)
"""Parts of the error of all INT8 that points are looked for."""
INTERACTS = 0.25
"""Two layers interact where their error together differs from the sum by more than this part."""
LEAST_MS = 0.001
"""What INT8 is taken to save at least in a layer: less is noise."""


@dataclass(frozen=True)
class LayerTrade:
    """What INT8 does in one layer.

    ``error``: relative squared error of the model when only this layer is quantized; measured, or
    else estimated by the layer's own error. ``saved_ms``: milliseconds that it saves in it, below 0
    where float is faster; None where that is not known.
    """

    name: str
    error: float
    measured: bool
    saved_ms: float | None


@dataclass(frozen=True)
class Pair:
    """Two layers of which ``second`` reads what ``first`` wrote.

    ``error``: of the model when only these two are quantized, ``apart``: the sum of the errors of
    each alone. ``saved_ms``: what the whole model takes longer with both in float, None where it
    was not timed; ``saved_apart``: the sum of what their kernels do.
    """

    first: str
    second: str
    error: float
    apart: float
    saved_ms: float | None
    saved_apart: float | None

    @property
    def interacts(self) -> bool:
        """Whether the two are to be judged together."""
        return abs(self.error - self.apart) > INTERACTS * max(self.apart, self.error)


@dataclass(frozen=True)
class Unit:
    """Layers that go to float together: what INT8 costs and saves in them."""

    layers: tuple[str, ...]
    error: float
    saved_ms: float


@dataclass(frozen=True)
class Tradeoff:
    """Everything that was found out; ``points`` are the fastest first.

    A point's ``slowdown`` is its time as a part of FP32's, its ``error`` that of the whole model as
    it runs; both measured. ``base_slowdown``: that of the choice that the points are made of.
    """

    layers: tuple[LayerTrade, ...]
    pairs: tuple[Pair, ...]
    points: tuple[Choice, ...]
    base_slowdown: float

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1, allow_nan=False))

    @staticmethod
    def read(path: Path) -> Tradeoff:
        """Read what ``write`` wrote."""
        data = json.loads(path.read_text())
        return Tradeoff(
            tuple(LayerTrade(**layer) for layer in data["layers"]),
            tuple(Pair(**pair) for pair in data["pairs"]),
            tuple(Choice.from_json(point) for point in data["points"]),
            data["base_slowdown"],
        )


def errors_of_all(own: Mapping[str, float], alone: Mapping[str, float]) -> dict[str, float]:
    """The error that each layer causes, by what was measured of some.

    ``own``: of each layer's result, see ``local_errors``; ``alone``: of the model when that layer
    alone is quantized. What was not measured is the layer's own error times what the median layer's
    becomes.
    """
    becomes = [alone[name] / own[name] for name in alone if own.get(name, 0.0) > 0.0]
    factor = median(becomes) if becomes else 1.0
    return {name: alone.get(name, factor * error) for name, error in own.items()}


def following(graph: Graph) -> list[tuple[str, str]]:
    """Pairs of layers, the second of which reads what the first wrote, nothing weighted between."""
    layers = {node.name for node in graph.layers()}
    found = []
    for node in graph.layers():
        pending, seen = [*node.output], set[str]()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            for reader in graph.consumers[name]:
                if reader.name in layers:
                    found.append((node.name, reader.name))
                else:
                    pending.extend(reader.output)
    return found


def units(layers: Collection[LayerTrade], pairs: Sequence[Pair] = ()) -> list[Unit]:
    """What goes to float together: pairs that interact, those most that do first; else one layer.

    Where it is not known what INT8 saves in a layer, it is what it saves in the median one.
    """
    known = sorted(each.saved_ms for each in layers if each.saved_ms is not None)
    middle = known[len(known) // 2] if known else 1.0
    alone = {
        each.name: Unit(
            (each.name,),
            each.error,
            max(middle if each.saved_ms is None else each.saved_ms, LEAST_MS),
        )
        for each in layers
    }
    found: dict[str, Unit] = {}
    for pair in sorted(pairs, key=lambda each: -abs(each.error - each.apart)):
        both = (pair.first, pair.second)
        if pair.interacts and found.keys().isdisjoint(both) and alone.keys() >= set(both):
            together = sum(alone[name].saved_ms for name in both)
            saved = together if pair.saved_ms is None else pair.saved_ms
            unit = Unit(both, pair.error, max(saved, LEAST_MS))
            found.update(dict.fromkeys(both, unit))
    return list(dict.fromkeys(found.get(name, unit) for name, unit in alone.items()))


def cheapest_first(listed: Collection[Unit]) -> list[Unit]:
    """The order in which units go to float: most error less for each millisecond first."""
    return sorted(listed, key=lambda unit: -unit.error / unit.saved_ms)


def prefixes(
    order: Sequence[Unit], error: Callable[[Collection[str]], float]
) -> list[tuple[str, ...]]:
    """Layers in float at each point, the fewest first: none, and what brings the error of all INT8
    down to each of ``FRACTIONS``.

    ``error``: of the model with the named layers in float. All layers are no point: that is FP32.
    """
    by_key = {unit.layers[0]: unit for unit in order}

    def layers(keys: Collection[str]) -> tuple[str, ...]:
        return tuple(chain.from_iterable(by_key[key].layers for key in keys))

    def error_of(keys: Collection[str]) -> float:
        return error(layers(keys))

    found: list[tuple[str, ...]] = [()]
    for part in FRACTIONS:
        keys, _ = minimal_float_prefix(error_of, list(by_key), part * error(()))
        found.append(layers(keys))
    total = len(layers(list(by_key)))
    return [kept for kept in dict.fromkeys(found) if len(kept) < total]


def undominated(points: Collection[Choice], base: Choice, most: float) -> tuple[Choice, ...]:
    """Those of ``points``, the fastest first, that are more accurate than all faster ones.

    ``base`` is such a one that is there anyway; what takes ``most`` of FP32's time or more is left
    out. Of each the ``slowdown`` is known.
    """
    kept: list[Choice] = []
    for point in sorted((*points, base), key=_slowdown):
        if _slowdown(point) < most and all(point.error < other.error for other in kept):
            kept.append(point)
    return tuple(point for point in kept if point is not base)


def _slowdown(point: Choice) -> float:
    assert point.slowdown is not None
    return point.slowdown
