"""The layers of INT8 cells: time saved against error added, and those in float with why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fqbench.counting import counted, verb
from fqbench.measure.int8_gain import Int8Gain, Part
from fqbench.precisions import precision
from fqbench.report.html.datatable import DataTable, table
from fqbench.report.table import NOTHING
from fqbench.results import Row
from fqbench.tasks.registry import metrics
from fqbench.tune.choice import LayerCost

LISTED = 40
"""Layers of a cell that its table has; all of them stand in results.json."""

WIDTH, HEIGHT, EDGE = 640, 300, 24
"""Of the map, in its own units."""

LEAST_ERROR = 1e-7
"""Errors below it are drawn at it: the scale is logarithmic."""


@dataclass(frozen=True)
class Dot:
    """A layer on the map: ``x``, ``y`` of its centre; ``title``: what it is, in words."""

    x: float
    y: float
    in_float: bool
    title: str


@dataclass(frozen=True)
class LayerMap:
    """``zero``: y of the line where no time is saved. ``left``, ``right``: errors at the edges;
    ``top``, ``bottom``: milliseconds saved there."""

    dots: tuple[Dot, ...]
    zero: float
    left: str
    right: str
    top: str
    bottom: str
    width: int = WIDTH
    height: int = HEIGHT


COLUMNS = (
    "Layer",
    "Runs in",
    "Why in float",
    "FP32 ms",
    "INT8 ms",
    "Saves ms",
    "Own error",
    "Error of the model",
    "About points",
)
GAIN = ("Nodes", "Count", "FP32 ms", "INT8 ms")


@dataclass(frozen=True)
class CellLayers:
    """One INT8 cell. ``summary``, ``lacking``: what runs in float, and what was not measured.

    ``map``: None where no layer has both a time and an error. ``costs``: of each layer.
    ``between``: operators between layers that stay in float, with why. ``gain``: where the time of
    an inference goes; empty where no profile was taken.
    """

    cell: str
    summary: str
    lacking: str
    map: LayerMap | None
    costs: DataTable
    between: tuple[tuple[str, str], ...]
    gain: DataTable


@dataclass(frozen=True)
class LayersView:
    """The section."""

    cells: tuple[CellLayers, ...]


def view(rows: Sequence[Row]) -> LayersView | None:
    """The section on the INT8 cells that ran; None where there is none."""
    cells = tuple(_cell(row) for row in rows if _is_int8(row))
    return LayersView(cells) if cells else None


def _is_int8(row: Row) -> bool:
    return row.status == "ok" and precision(row.cell.precision).weights.kind != "float"


def _cell(row: Row) -> CellLayers:
    gain = () if row.int8_gain is None else _gain(row.int8_gain)
    return CellLayers(
        row.cell.id,
        _summary(row),
        _lacking(row),
        _map(row),
        _costs(row),
        tuple(row.float_operators.items()),
        table(f"Milliseconds of an inference of {row.cell.id}, by a profile", GAIN, gain),
    )


def _costs(row: Row) -> DataTable:
    """Of at most ``LISTED`` layers."""
    ordered = _ordered(row)
    caption = f"Layers of {row.cell.id}"
    if len(ordered) > LISTED:
        caption = f"{caption}, {LISTED} of {len(ordered)}; all stand in results.json"
    return table(caption, COLUMNS, [_line(layer, row) for layer in ordered[:LISTED]])


def _ordered(row: Row) -> list[LayerCost]:
    """Those in float first, then those that add the greatest error, then those that save most.

    Layers of which nothing but the reason is known are there, too.
    """
    known = {layer.name: layer for layer in row.layers}
    unknown = (LayerCost(n, None, None, None, None) for n in row.float_layers if n not in known)
    return sorted(
        (*known.values(), *unknown),
        key=lambda layer: (layer.name not in row.float_layers, *_rank(layer), layer.name),
    )


def _rank(layer: LayerCost) -> tuple[float, ...]:
    """The least comes first; what was not measured comes last."""
    figures = (layer.error, layer.own_error, _saved(layer))
    return tuple(math.inf if figure is None else -figure for figure in figures)


def _saved(layer: LayerCost) -> float | None:
    """Milliseconds that its kernel takes less in INT8; None where either was not timed."""
    if layer.fp32_ms is None or layer.int8_ms is None:
        return None
    return layer.fp32_ms - layer.int8_ms


def _summary(row: Row) -> str:
    if row.slowdown is not None:
        return (
            f"INT8 does not pay here: it takes {row.slowdown:.2f} times as long as FP32, so FP32"
            " runs. The layers are those of the INT8 form that was tried."
        )
    if row.convolutions is None:
        return "The INT8 model comes whole from its method: nothing is known of its layers."
    if not row.float_layers:
        all_run = f"All {counted(row.convolutions, 'layer')} run"
        return f"{verb(row.convolutions, 'The only layer runs', all_run)} in INT8."
    reasons = Counter(row.float_layers.values())
    listed = ", ".join(f"{count} since {reason}" for reason, count in reasons.most_common())
    kept = len(row.float_layers)
    return (
        f"{kept} of {counted(row.convolutions, 'layer')} {verb(kept, 'stays', 'stay')} in float:"
        f" {listed}."
    )


def _lacking(row: Row) -> str:
    """What is not known of layers, in a sentence; empty where all is."""
    if not row.layers:
        return "" if row.convolutions is None else "Neither times nor errors of layers were taken."
    kinds = (
        ("Not timed", sum(_saved(layer) is None for layer in row.layers)),
        ("Error not measured", sum(layer.own_error is None for layer in row.layers)),
    )
    total = len(row.layers)
    whole = counted(total, "layer")
    return " ".join(
        f"{what}: {f'{count} of {whole}' if count < total else 'all layers'}."
        for what, count in kinds
        if count
    )


def _line(layer: LayerCost, row: Row) -> tuple[str, ...]:
    saved, metric = _saved(layer), metrics().get(row.metric or "")
    why = row.float_layers.get(layer.name)
    return (
        layer.name,
        "INT8" if why is None else "float",
        why or NOTHING,
        _ms(layer.fp32_ms),
        _ms(layer.int8_ms),
        NOTHING if saved is None else f"{saved:+.3f}",
        NOTHING if layer.own_error is None else f"{layer.own_error:.2g}",
        NOTHING if layer.error is None else f"{layer.error:.2g}",
        NOTHING
        if metric is None or layer.error is None
        else f"{metric.points_lost(layer.error):.2f}",
    )


def _ms(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _map(row: Row) -> LayerMap | None:
    """Time saved (up) against own error (to the right, logarithmic), of layers with both."""
    found = [
        (layer, saved, max(layer.own_error, LEAST_ERROR))
        for layer in row.layers
        if (saved := _saved(layer)) is not None and layer.own_error is not None
    ]
    if not found:
        return None
    errors = [math.log10(error) for *_, error in found]
    low, high = math.floor(min(errors)), max(math.ceil(max(errors)), math.floor(min(errors)) + 1)
    times = [saved for _, saved, _ in found]
    bottom, top = min(*times, 0.0), max(*times, 0.0)
    height = (top - bottom) or 1.0

    def y(saved: float) -> float:
        return round(EDGE + (HEIGHT - 2 * EDGE) * (top - saved) / height, 1)

    dots = tuple(
        Dot(
            round(EDGE + (WIDTH - 2 * EDGE) * (math.log10(error) - low) / (high - low), 1),
            y(saved),
            layer.name in row.float_layers,
            f"{layer.name}: saves {saved:+.3f} ms, own error {error:.2g}",
        )
        for layer, saved, error in found
    )
    edges = (f"1e{low}", f"1e{high}", f"{top:+.3f} ms", f"{bottom:+.3f} ms")
    return LayerMap(dots, y(0.0), *edges)


KINDS = (
    ("faster", "layers that are faster in INT8"),
    ("depthwise", "depthwise layers that are not"),
    ("no_faster", "other layers in INT8 that are not"),
    ("in_float", "layers that compute in float"),
    ("operators", "other operators"),
    ("conversions", "conversions"),
)


def _gain(gain: Int8Gain) -> Iterator[tuple[str, ...]]:
    for name, kind in KINDS:
        part: Part = getattr(gain, name)
        if part.count:
            yield kind, str(part.count), _ms(part.fp32_ms), _ms(part.int8_ms)
