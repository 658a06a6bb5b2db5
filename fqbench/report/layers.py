"""Which layers stay in float and why, and what the costliest layers cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fqbench.backends import label_of
from fqbench.counting import counted
from fqbench.measure.drop import word
from fqbench.report.table import NOTHING
from fqbench.results import Row
from fqbench.tasks.registry import metrics
from fqbench.tune.choice import LayerCost

COLUMNS = (
    "Layer",
    "Runs in",
    "Own error",
    "Error of the model",
    "About points",
    "FP32 ms",
    "INT8 ms",
)
SHOWN = 10

MEANING = (
    "Own error: relative squared error of the layer's result when it alone is rounded and reads"
    " what FP32 reads. Error of the model: that of its raw outputs when the layer alone is rounded,"
    " for a detector the one that costs as much as what changes in its detections, and about how"
    " many points that costs. Measured on calibration images; all layers stand in"
    " results.json."
)


def sentences(rows: Sequence[Row]) -> tuple[str, ...]:
    """What was kept in float, in plain words: a sentence for the layers of an INT8 cell that keeps
    any, and one for what lies between the layers of a model."""
    of_cells = tuple(text for row in rows if (text := sentence(row)) is not None)
    between = dict.fromkeys(text for row in rows if (text := _between(row)) is not None)
    return (*of_cells, *between)


def sentence(row: Row) -> str | None:
    """Of one cell; None where all layers run in INT8."""
    where = f"{row.cell.model} on {label_of(row.cell.backend)}"
    if row.slowdown is not None:
        return (
            f"{where}: INT8 does not pay, it takes {row.slowdown:.2f} times as long as FP32 on this"
            " machine; FP32 runs instead."
        )
    if not row.float_layers or row.convolutions is None:
        return None
    reasons = Counter(row.float_layers.values())
    listed = ", ".join(
        reason if len(reasons) == 1 else f"{count} since {reason}"
        for reason, count in reasons.most_common()
    )
    figures = [
        f"{_drops(row.drop_all_int8, row.drop.value)} {_unit(row)}" if row.drop is not None else "",
        f"ratio {row.ratio.value:.2f}" if row.ratio is not None else "",
    ]
    shown = ", ".join(filter(None, figures))
    kept = len(row.float_layers)
    return (
        f"{where}: {kept} of {counted(row.convolutions, 'layer')} kept in float ({listed})"
        f"{': ' if shown else ''}{shown}."
    )


def _between(row: Row) -> str | None:
    """What a model computes in float between its layers, the same for all backends that do."""
    if not row.float_operators:
        return None
    listed = "; ".join(f"{what}, since {why}" for what, why in row.float_operators.items())
    return f"{row.cell.model}: between its layers stay in float {listed}."


def costs(row: Row) -> tuple[tuple[str, ...], ...]:
    """The columns, then the layers that cost most, the worst first. No column is empty."""
    worst = sorted(row.layers, key=lambda layer: (-(layer.error or 0.0), -(layer.own_error or 0.0)))
    lines = [_line(layer, row) for layer in worst[:SHOWN]]
    shown = [i for i in range(len(COLUMNS)) if any(line[i] != NOTHING for line in lines)]
    return tuple(tuple(line[i] for i in shown) for line in (COLUMNS, *lines))


def _line(layer: LayerCost, row: Row) -> tuple[str, ...]:
    kept = row.float_layers.get(layer.name)
    metric = metrics().get(row.metric or "")
    return (
        layer.name,
        f"float: {kept}" if kept else "INT8",
        NOTHING if layer.own_error is None else f"{layer.own_error:.4f}",
        NOTHING if layer.error is None else f"{layer.error:.4f}",
        f"{metric.points_lost(layer.error):.2f}"
        if metric is not None and layer.error is not None
        else NOTHING,
        *(NOTHING if ms is None else f"{ms:.3f}" for ms in (layer.fp32_ms, layer.int8_ms)),
    )


def _drops(before: float | None, after: float) -> str:
    """``drop 2.10 → 0.30``; a negative one is a gain."""
    words = [word(each) for each in (before, after) if each is not None]
    sizes = [f"{abs(each):.2f}" for each in (before, after) if each is not None]
    if len(set(words)) == 1:
        return f"{words[0]} {' → '.join(sizes)}"
    return " → ".join(map(" ".join, zip(words, sizes, strict=True)))


def _unit(row: Row) -> str:
    metric = metrics().get(row.metric or "")
    return "points" if metric is None else metric.unit
