"""The methods of quantization side by side, by what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import geometric_mean, median

from fqbench.backends import label_of
from fqbench.measure.drop import word
from fqbench.methods import offered
from fqbench.precisions import baseline
from fqbench.report.table import NOTHING, method_label
from fqbench.results import Row

TITLE = "Methods of quantization"
COLUMNS = ("Method", "Time", "Accuracy", "Model size", "Inference speed")


def methods(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    """One line per method that was measured.

    Time in seconds per model, accuracy in points, the rest as ratios.
    """
    return tuple(_line(name, rows) for name in offered() if _measured(name, rows))


def others(rows: Sequence[Row]) -> str | None:
    """A sentence on the methods that were not measured; None where all were."""
    names = [method_label(name) for name in offered() if not _measured(name, rows)]
    return f"Not measured in this run: {', '.join(names)}." if names else None


def _measured(method: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.method == method and row.status == "ok"]


def _line(method: str, rows: Sequence[Row]) -> tuple[str, ...]:
    found = _measured(method, rows)
    return (method_label(method), _time(found), _accuracy(found), _size(found, rows), _speed(found))


def _time(rows: Sequence[Row]) -> str:
    times = sorted(row.quantize_s for row in rows if row.quantize_s is not None)
    if not times:
        return NOTHING
    return f"{median(times):.0f} s a model ({times[0]:.0f} to {times[-1]:.0f})"


def _accuracy(rows: Sequence[Row]) -> str:
    drops = [(row.drop.value, row.cell) for row in rows if row.drop is not None]
    if not drops:
        return "not measured"
    worst, cell = max(drops, key=lambda pair: pair[0])
    typical = median(value for value, _ in drops)
    where = f"{cell.model} on {label_of(cell.backend)}"
    lost, gained = "lost", "gained"
    what = word(typical, lost, gained)
    most = f"at most {abs(worst):.2f} points"
    if word(worst, lost, gained) == gained:
        most = f"at least {abs(worst):.2f} points"
    elif what == gained:
        most = f"{most} lost"
    return f"{abs(typical):.2f} points {what} (median), {most} ({where})"


def _size(rows: Sequence[Row], all_rows: Sequence[Row]) -> str:
    before = {
        (row.cell.model, row.cell.backend): row.size_mb
        for row in all_rows
        if row.cell.precision == baseline().name and row.size_mb
    }
    shares = [
        row.size_mb / before[key]
        for row in rows
        if row.size_mb and (key := (row.cell.model, row.cell.backend)) in before
    ]
    return f"{median(shares):.2f} of FP32" if shares else NOTHING


def _speed(rows: Sequence[Row]) -> str:
    ratios = [row.ratio.value for row in rows if row.ratio is not None]
    if not ratios or not all(math.isfinite(ratio) and ratio > 0 for ratio in ratios):
        return NOTHING
    mean = geometric_mean(ratios)
    return f"{mean:.2f} times FP32 ({min(ratios):.2f} to {max(ratios):.2f})"
