"""How latencies are distributed, and how they went from launch to launch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from statistics import median

import numpy as np

from fqbench.backends import label_of
from fqbench.cells import Cell
from fqbench.counting import counted
from fqbench.measure.stats import Launches
from fqbench.report.html.advice import by_place, cell_label
from fqbench.report.html.datatable import table
from fqbench.report.html.plots import (
    COLOURS,
    FAINT,
    GREY,
    SHAPES,
    TEXT,
    Plot,
    Spec,
    by_order,
    layered,
    points,
    quantitative,
    silent,
)
from fqbench.report.table import made_label
from fqbench.results import Row
from fqbench.samples import Samples

WIDTH = 440

DASHES = ([1, 0], [5, 3], [2, 2], [8, 3, 2, 3])
"""Of lines that have the same colour."""


@dataclass(frozen=True)
class Timing:
    """Of one model and device; ``launches`` is None where there was only one."""

    distribution: Plot
    launches: Plot | None


@dataclass(frozen=True)
class Spread:
    """Latencies of a cell in ms: the least, quartiles, and high percentiles."""

    label: str
    backend: str
    low: float
    p25: float
    p50: float
    p75: float
    p90: float
    p99: float
    n: int


def timings(rows: Sequence[Row], samples: Samples) -> tuple[Timing, ...]:
    """One for each model and device whose times were kept."""
    times: Mapping[str, Launches] = {
        name: launches for group in samples.groups for name, launches in group.cells.items()
    }
    groups = ([row for row in g if row.cell.id in times] for g in by_place(rows).values())
    return tuple(_timing(group, times) for group in groups if group)


def spread(row: Row, launches: Launches) -> Spread | None:
    """Of a row that was timed; what the row has not is of all its times."""
    found = row.latency
    if found is None:
        return None
    every = [t for blocks in launches for block in blocks for t in block]
    p25, p75 = (float(1e3 * q) for q in np.percentile(every, (25, 75)))
    return Spread(
        cell_label(row),
        label_of(row.cell.backend),
        found.minimum,
        p25,
        found.p50.value,
        p75,
        found.p90,
        found.p99,
        found.n,
    )


def relative_medians(launches: Launches) -> tuple[float, ...]:
    """The median of each launch in percent above (or below, negative) the median of them."""
    medians = [median(chain.from_iterable(blocks)) for blocks in launches]
    middle = median(medians)
    return tuple(100 * (each / middle - 1) for each in medians)


def _timing(rows: Sequence[Row], times: Mapping[str, Launches]) -> Timing:
    cell = rows[0].cell
    title = f"{cell.model} on the {cell.device.upper()}"
    spreads = [s for row in rows if (s := spread(row, times[row.cell.id])) is not None]
    by_launch = {row.cell: relative_medians(times[row.cell.id]) for row in rows}
    several = any(len(found) > 1 for found in by_launch.values())
    return Timing(_distribution(title, spreads), _launches(title, by_launch) if several else None)


def _distribution(title: str, spreads: Sequence[Spread]) -> Plot:
    values = [{**asdict(s), "tip": _tip(s)} for s in spreads]
    x = quantitative("low", "Latency (ms)", [v for s in spreads for v in (s.low, s.p99)])
    y = {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"ticks": False}}
    order = by_order([s.backend for s in spreads], COLOURS)
    colour = {"field": "backend", "legend": None, "scale": order}
    half = {"x": {**x, "field": "p25"}, "x2": {"field": "p75"}, "y": y, "color": colour}
    layers: list[Spec] = [
        silent("rule", {"x": x, "x2": {"field": "p99"}, "y": y}, color=FAINT),
        {
            "mark": {"type": "bar", "height": 13, "cornerRadius": 2},
            "encoding": {**half, "description": {"field": "tip"}},
        },
        silent("tick", {"x": {**x, "field": "p50"}, "y": y}, color=TEXT, thickness=2, size=17),
        silent("tick", {"x": {**x, "field": "p90"}, "y": y}, color=FAINT, thickness=2, size=9),
    ]
    spec = {
        **layered(layers, width=WIDTH, height=60 + 28 * len(spreads)),
        "data": {"values": values},
    }
    lines = [
        (s.label, *(f"{v:.3f}" for v in (s.low, s.p25, s.p50, s.p75, s.p90, s.p99)), str(s.n))
        for s in spreads
    ]
    columns = ("Cell", "Least ms", "25 %", "Median", "75 %", "90 %", "99 %", "Inferences")
    about = (
        f"{title}: latencies from the least to the 99th percentile of"
        f" {counted(len(spreads), 'cell')}."
    )
    return Plot(title, about, spec, table(f"{title}: latencies", columns, lines))


def _tip(found: Spread) -> str:
    return (
        f"{found.label}\nmedian {found.p50:.3g} ms\nhalf of all {found.p25:.3g} to"
        f" {found.p75:.3g} ms\n99 % below {found.p99:.3g} ms"
    )


def _launches(title: str, by_launch: Mapping[Cell, Sequence[float]]) -> Plot:
    values: list[Spec] = [
        {
            "backend": label_of(cell.backend),
            "made": made_label(cell),
            "launch": number,
            "change": change,
            "tip": f"{label_of(cell.backend)} {made_label(cell)}\nlaunch {number}"
            f"\n{change:+.1f} % of its median",
        }
        for cell, changes in by_launch.items()
        for number, change in enumerate(changes, 1)
    ]
    most = max(map(len, by_launch.values()))
    x = {
        "field": "launch",
        "type": "quantitative",
        "title": "Launch",
        "scale": {"domain": [1, most], "padding": 10, "nice": False},
        "axis": {"format": "d", "tickMinStep": 1, "tickCount": min(most, 10), "grid": False},
    }
    y = {
        "field": "change",
        "type": "quantitative",
        "title": "% of its median",
        "axis": {"tickCount": 5, "format": "+.3~f"},
    }
    backends, made = [v["backend"] for v in values], [v["made"] for v in values]
    colour = {"field": "backend", "scale": by_order(backends, COLOURS)}
    shape = {"field": "made", "scale": by_order(made, SHAPES), "legend": GREY}
    dash = {"field": "made", "scale": by_order(made, DASHES), "legend": GREY}
    at = {"x": x, "y": y, "color": colour}
    layers = [
        silent("line", {**at, "strokeDash": dash}, strokeWidth=1.5),
        points({**at, "shape": shape}, size=60),
    ]
    spec = {**layered(layers, width=WIDTH, height=280), "data": {"values": values}}
    columns = ("Cell", *(f"Launch {number}" for number in range(1, most + 1)))
    lines = [
        (
            f"{label_of(cell.backend)} {made_label(cell)}",
            *(f"{change:+.2f}" for change in changes),
            *("-" for _ in range(most - len(changes))),
        )
        for cell, changes in by_launch.items()
    ]
    about = f"{title}: how far the median of each of {most} launches is from the cell's own median."
    numbers = table(f"{title}: launches in percent of the median", columns, lines)
    return Plot(f"{title}, launch by launch", about, spec, numbers)
