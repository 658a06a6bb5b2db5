"""Plots as Vega-Lite specs: data with how it is drawn, and nothing that has run yet.

https://vega.github.io/vega-lite/docs. Colours are the page's CSS variables, so that they follow its
theme. Marks that mean something have a description, which a screen reader says and the tooltip
shows; all others are hidden from both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fqbench.measure.stats import Interval
from fqbench.report.html.datatable import DataTable

Spec = dict[str, Any]

COLOURS = tuple(f"var(--series-{number})" for number in range(8))
"""Okabe and Ito's, darker where a thin line would not be seen (``templates/style.css``)."""

SHAPES = ("circle", "diamond", "square", "triangle-up", "cross", "triangle-down", "triangle-right")

FAINT = "var(--faint)"
TEXT = "var(--text)"

GREY: Spec = {"symbolFillColor": TEXT, "symbolStrokeColor": TEXT}
"""A legend of shapes whatever their colours."""

NUMBERS = ".4~f"
"""Format of an axis: never with an exponent."""

PADDING, ROOM = 14, 62
"""Pixels beside what is drawn: of marks, and of the notes at their ends."""

_LINES_AXIS: Spec = {
    "labelExpr": "split(datum.label, '\\n')",
    "ticks": False,
    "domain": False,
    "grid": True,
}

_MOST_LINEAR = 6.0
"""Largest over smallest value from which on an axis is logarithmic."""


@dataclass(frozen=True)
class Plot:
    """A plot with its ``title``, what it shows (``about``), and its numbers."""

    title: str
    about: str
    spec: Spec
    numbers: DataTable


@dataclass(frozen=True)
class Mark:
    """What is ``known`` of a value, on a line of its own.

    ``group``: what its colour and shape mean; ``note``: what stands at its end; ``tip``: what is
    said of it; ``threshold``: what it must not exceed.
    """

    label: tuple[str, ...]
    known: Interval
    group: str
    tip: str
    note: str = ""
    threshold: float | None = None


def layered(layers: Sequence[Spec], *, width: int, height: int) -> Spec:
    """A spec of layers, in the size of the whole picture in pixels."""
    axis = {
        "domainColor": FAINT,
        "tickColor": FAINT,
        "gridColor": "var(--grid)",
        "labelColor": TEXT,
        "titleColor": TEXT,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 190,
    }
    legend = {
        "labelColor": TEXT,
        "labelFontSize": 12,
        "labelLimit": 200,
        "title": None,
        "orient": "bottom",
        "columns": 4,
        # One below the other: beside each other the second one is cut off where both are long.
        "layout": {"bottom": {"anchor": "start", "direction": "vertical"}},
        "symbolSize": 90,
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        # Labels at the ends of axes reach beyond these.
        "padding": {"left": 5, "right": 14, "top": 5, "bottom": 5},
        "background": "transparent",
        "layer": list(layers),
        "config": {
            "font": "sans-serif",
            "view": {"stroke": None},
            "axis": axis,
            "legend": legend,
            "aria": True,
        },
    }


def by_order(names: Iterable[str], values: Sequence[Any]) -> Spec:
    """A scale that gives names their values in order of appearance, again from the first."""
    domain = list(dict.fromkeys(names))
    return {"domain": domain, "range": [values[i % len(values)] for i in range(len(domain))]}


def quantitative(field: str, title: str, values: Sequence[float], **scale: Any) -> Spec:
    """An axis of numbers, which is logarithmic where they are positive and lie far apart."""
    low, high = min(values), max(values)
    kind = "log" if low > 0 and high / low > _MOST_LINEAR else "linear"
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": kind, "zero": False, "padding": PADDING, "nice": False, **scale},
        "axis": {"tickCount": 5, "format": NUMBERS},
    }


def intervals(
    marks: Sequence[Mark],
    title: str,
    *,
    reference: float | None = None,
    groups: Sequence[str] = (),
    width: int = 440,
) -> Spec:
    """Values with their intervals below each other, each with the threshold that bounds it.

    ``reference``: where a line says that nothing changed; ``groups``: in the order of their colours
    and shapes, where it is not that of the marks.
    """
    values = [_mark(mark) for mark in marks]
    thresholds = [mark.threshold for mark in marks if mark.threshold is not None]
    shown = [end for v in values for end in (v["low"], v["high"], v["value"])]
    shown += [*thresholds, *([] if reference is None else [reference])]
    has_notes = any(mark.note for mark in marks)
    x = quantitative("value", title, shown, padding=ROOM if has_notes else PADDING)
    y = {"field": "line", "type": "nominal", "sort": None, "title": None, "axis": _LINES_AXIS}
    groups = tuple(groups) or tuple(dict.fromkeys(mark.group for mark in marks))
    legend = {} if len(groups) > 1 else {"legend": None}
    colour: Spec = {"field": "group", "scale": by_order(groups, COLOURS), **legend}
    shape: Spec = {"field": "group", "scale": by_order(groups, SHAPES), **legend}
    bars = {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour}
    layers = [
        silent("rule", bars, strokeWidth=2),
        points({"x": x, "y": y, "color": colour, "shape": shape}, size=90),
    ]
    if reference is not None:
        line = silent("rule", {"x": x}, color=FAINT, strokeDash=[2, 3])
        layers.insert(0, {**line, "data": {"values": [{"value": reference}]}})
    if thresholds:
        at = {"x": {**x, "field": "threshold"}, "y": y}
        layers.append(silent("tick", at, color=TEXT, thickness=2, size=18))
    if has_notes:
        at = {"x": {**x, "field": "end"}, "y": y, "text": {"field": "note"}}
        layers.append(silent("text", at, align="left", dx=8, color=TEXT, fontSize=11))
    lines = len({v["line"] for v in values})
    spec = layered(layers, width=width, height=70 + 38 * lines)
    return {**spec, "data": {"values": values}}


def points(encoding: Spec, *, size: int) -> Spec:
    """A layer of points that mean something, which the field ``tip`` says."""
    mark = {"type": "point", "filled": True, "size": size, "opacity": 1}
    return {"mark": mark, "encoding": {**encoding, "description": {"field": "tip"}}}


def silent(kind: str, encoding: Spec, **style: Any) -> Spec:
    """A layer that neither a screen reader nor the tooltip speaks of."""
    return {"mark": {"type": kind, "aria": False, **style}, "encoding": encoding}


def _mark(mark: Mark) -> Spec:
    return {
        "line": "\n".join(map(_one_line, mark.label)),
        "value": mark.known.value,
        "low": mark.known.low,
        "high": mark.known.high,
        "group": mark.group,
        "tip": mark.tip,
        "note": mark.note,
        "threshold": mark.threshold,
        "end": max(mark.known.high, mark.threshold or mark.known.high),
    }


def _one_line(text: str) -> str:
    return " ".join(text.split())
