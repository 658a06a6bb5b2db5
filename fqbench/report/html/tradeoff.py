"""Accuracy against latency: one plot for each model and device, with the front of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from fqbench.backends import label_of
from fqbench.counting import counted
from fqbench.measure.drop import with_interval, word
from fqbench.measure.stats import Interval
from fqbench.precisions import baseline
from fqbench.report.html.advice import by_place, cell_label
from fqbench.report.html.datatable import table
from fqbench.report.html.plots import (
    COLOURS,
    FAINT,
    GREY,
    NUMBERS,
    SHAPES,
    TEXT,
    Mark,
    Plot,
    Spec,
    by_order,
    intervals,
    layered,
    points,
    quantitative,
    silent,
)
from fqbench.report.table import interval, made_label, metric_label
from fqbench.results import Row

WIDTH, HEIGHT = 420, 340
COLUMNS = ("Cell", "Latency ms", "Accuracy", "Drop", "On the front")


@dataclass(frozen=True)
class Point:
    """A cell by its latency (ms) and accuracy (points), with the ends of both intervals."""

    ms: float
    ms_low: float
    ms_high: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    backend: str
    made: str
    tip: str


def tradeoffs(rows: Sequence[Row]) -> tuple[Plot, ...]:
    """One plot for each model and device, by latency alone where there is no accuracy."""
    return tuple(_plot(group) for group in by_place(rows).values())


def front(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points than which none is at least as fast and as accurate; by latency.

    Accuracies that are shown alike are alike: FP32 of two runtimes differs in its last digits.
    """
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.ms, -p.accuracy)):
        if not found or round(point.accuracy, 2) > round(found[-1].accuracy, 2):
            found.append(point)
    return tuple(found)


def _plot(rows: Sequence[Row]) -> Plot:
    cell = rows[0].cell
    title = f"{cell.model} on the {cell.device.upper()}"
    base = next((r.accuracy for r in rows if r.cell.precision == baseline().name), None)
    known = {row.cell: point for row in rows if (point := _point(row, base)) is not None}
    best = front(tuple(known.values()))
    lines = [
        (
            cell_label(row),
            interval(row.latency.p50 if row.latency else None),
            "-" if row.accuracy is None or row.needs else f"{row.accuracy:.2f}",
            interval(row.drop),
            "" if row.cell not in known else "yes" if known[row.cell] in best else "no",
        )
        for row in rows
    ]
    numbers = table(f"{title}: accuracy and latency", COLUMNS, lines)
    if not known:
        about = f"{title}: latency of each cell; accuracy is not known."
        return Plot(
            title, about, intervals(list(map(_latency, rows)), "Latency (ms)", width=WIDTH), numbers
        )
    about = (
        f"{title}: {metric_label(rows[0].metric)} against latency of"
        f" {counted(len(known), 'cell')};"
        f" on the front, from the fastest: {', '.join(f'{p.backend} {p.made}' for p in best)}."
    )
    return Plot(
        title, about, _spec(tuple(known.values()), best, metric_label(rows[0].metric)), numbers
    )


def _point(row: Row, base: float | None) -> Point | None:
    """The drop's interval is drawn as that of the accuracy: it is what is told apart here."""
    if row.latency is None or row.accuracy is None or row.needs is not None:
        return None
    ms, accuracy = row.latency.p50, row.accuracy
    ends = (accuracy, accuracy)
    if row.drop is not None and base is not None:
        ends = (base - row.drop.high, base - row.drop.low)
    tip = [cell_label(row), f"{interval(ms)} ms", f"{metric_label(row.metric)} {accuracy:.2f}"]
    tip += [] if row.drop is None else [f"{word(row.drop.value)} {with_interval(row.drop)}"]
    return Point(
        ms.value,
        ms.low,
        ms.high,
        accuracy,
        *ends,
        label_of(row.cell.backend),
        made_label(row.cell),
        "\n".join(tip),
    )


def _latency(row: Row) -> Mark:
    found = row.latency.p50 if row.latency is not None else Interval(0.0, 0.0, 0.0)
    label, made = label_of(row.cell.backend), made_label(row.cell)
    tip = f"{cell_label(row)}\n{interval(found)} ms"
    return Mark((f"{label} {made}",), found, made, tip)


def _spec(cells: Sequence[Point], best: Sequence[Point], metric: str) -> Spec:
    values = [asdict(point) for point in cells]
    x = quantitative("ms", "Latency (ms)", [v for p in cells for v in (p.ms_low, p.ms_high, p.ms)])
    heights = [v for p in cells for v in (p.accuracy_low, p.accuracy_high, p.accuracy)]
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": metric,
        "scale": {"zero": False, "padding": 14, "nice": False},
        "axis": {"tickCount": 5, "format": NUMBERS},
    }
    if max(heights) - min(heights) < 0.1:
        middle = (max(heights) + min(heights)) / 2
        y["scale"] = {"domain": [middle - 0.5, middle + 0.5]}
    colour = {"field": "backend", "scale": by_order([p.backend for p in cells], COLOURS)}
    shape = {"field": "made", "scale": by_order([p.made for p in cells], SHAPES), "legend": GREY}
    at = {"x": x, "y": y}
    stairs = silent(
        "line", at, interpolate="step-after", color=TEXT, strokeDash=[5, 4], opacity=0.6
    )
    wide = {"x": {**x, "field": "ms_low"}, "x2": {"field": "ms_high"}, "y": y, "color": colour}
    high = {
        "x": x,
        "y": {**y, "field": "accuracy_low"},
        "y2": {"field": "accuracy_high"},
        "color": colour,
    }
    joined = {**at, "detail": {"field": "backend"}}
    layers = [
        {**stairs, "data": {"values": [asdict(point) for point in best]}},
        silent("line", joined, color=FAINT, strokeWidth=1.5),
        silent("rule", wide, strokeWidth=1.5),
        silent("rule", high, strokeWidth=1.5),
        points({**at, "color": colour, "shape": shape}, size=110),
    ]
    return {**layered(layers, width=WIDTH, height=HEIGHT), "data": {"values": values}}
