"""What INT8 costs and saves in each layer, as ``fqbench best`` says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fqbench.best.entry import Found, Trade
from fqbench.best.trading import kept_layers
from fqbench.counting import counted
from fqbench.tasks.registry import metrics
from fqbench.tune.tradeoff import LayerTrade, Tradeoff

LISTED = 12
"""Layers that the terminal shows; all of them are in the provenance."""

COLUMNS = ("Layer", "Points", "µs saved", "In float")


def show_tradeoff(found: Found, trade: Trade, console: Console) -> None:
    """Print layers in the order in which they go to float, and the points; or why none were."""
    candidate = found.entry(trade.base).candidate
    if trade.tradeoff is None:
        text = f"{candidate.label}: no layers traded for speed: {trade.why}"
        console.print(Text(text, style="dim"))
        return
    lost = metrics()[candidate.graph.spec.metric].points_lost
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in COLUMNS:
        table.add_column(name, overflow="fold", justify="left" if name == "Layer" else "right")
    for layer in trade.tradeoff.layers[:LISTED]:
        table.add_row(*map(Text, line(trade.tradeoff, layer, lost)))
    console.print()
    console.print(Text(f"Layers of {candidate.label}, the cheapest to keep in float first:"))
    console.print(table)
    for sentence in sentences(trade.tradeoff, lost):
        console.print(Text(sentence, style="dim"))


def line(tradeoff: Tradeoff, layer: LayerTrade, lost: Callable[[float], float]) -> tuple[str, ...]:
    """The texts of a layer, by ``COLUMNS``. ``lost``: points that an error costs."""
    count = sum(layer.name in point.float_layers for point in tradeoff.points)
    points = f"{'' if layer.measured else 'about '}{lost(layer.error):.3f}"
    saved = "-" if layer.saved_ms is None else f"{1000 * layer.saved_ms:.0f}"
    return layer.name, points, saved, f"{count} of {len(tradeoff.points)}"


def sentences(tradeoff: Tradeoff, lost: Callable[[float], float]) -> Iterator[str]:
    """What follows the table: the layers that it leaves out, pairs, and the points."""
    rest = tradeoff.layers[LISTED:]
    if rest:
        total = sum(lost(each.error) for each in rest)
        yield f"{counted(len(rest), 'more layer')}: {total:.3f} points in all."
    for pair in tradeoff.pairs:
        if pair.interacts:
            yield (
                f"{pair.first} and {pair.second} together cost {lost(pair.error):.3f} points, the"
                f" sum of both is {lost(pair.apart):.3f}: they go to float together."
            )
    for point in tradeoff.points:
        assert point.slowdown is not None
        yield (
            f"{kept_layers(point)} in float: {lost(point.error):.2f} points,"
            f" {point.slowdown:.2f} of the time of FP32."
        )
    yield (
        "Points are estimated on calibration images, the whole model's as it runs; of a layer, when"
        " only it is quantized. In float: at how many of the points listed."
    )
