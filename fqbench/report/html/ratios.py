"""Ratios beside the published ones, and speeds beside what the machine can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fqbench.backends import label_of
from fqbench.counting import counted
from fqbench.measure.stats import Interval
from fqbench.precisions import label_of as label_of_precision
from fqbench.precisions.own import INT8
from fqbench.report import comparison
from fqbench.report.html.advice import cell_label
from fqbench.report.html.datatable import table
from fqbench.report.html.plots import Mark, Plot, intervals
from fqbench.report.published import published_figures
from fqbench.report.table import interval
from fqbench.results import Row

PUBLISHED, MEASURED = "published", "measured"


def against_published(rows: Sequence[Row]) -> Plot | None:
    """Measured ratios with the published ones of the same cells; None where none was published."""
    marks = list(_pairs(rows))
    if not marks:
        return None
    listed = [line.texts for line in comparison.comparison(rows)]
    count = sum(mark.group == MEASURED for mark in marks)
    return Plot(
        "Measured and published ratio",
        f"FP32 time over INT8 time of {counted(count, 'cell')} as measured here and as published.",
        intervals(marks, "FP32 time over INT8 time", reference=1.0, groups=(MEASURED, PUBLISHED)),
        table("Published and measured", comparison.COLUMNS, listed),
    )


def _pairs(rows: Sequence[Row]) -> Iterator[Mark]:
    published = {figures.place: figures for figures in published_figures()}
    for row in rows:
        cell = row.cell
        known = published.get((cell.model, cell.backend, cell.device))
        if known is None or row.ratio is None or cell.precision != INT8.name or cell.method:
            continue
        label = (cell.model, f"{label_of(cell.backend)} {cell.device.upper()}")
        name = " ".join(label)
        for group, found in (
            (PUBLISHED, Interval(known.ratio, known.ratio, known.ratio)),
            (MEASURED, row.ratio),
        ):
            text = interval(row.ratio) if group == MEASURED else f"{known.ratio:.2f}"
            yield Mark(label, found, group, f"{name}\n{group}: {text}")


def against_peak(rows: Sequence[Row]) -> Plot | None:
    """The share of the machine's peak that each cell reaches; None where it is not known."""
    known = [(row, row.roofline) for row in rows if row.roofline is not None]
    if not known:
        return None
    marks = [
        Mark(
            (row.cell.model, cell_label(row)),
            Interval(100 * share.value, 100 * share.low, 100 * share.high),
            label_of_precision(row.cell.precision),
            f"{row.cell.id}\n{100 * share.value:.0f} % of the machine's peak",
        )
        for row, share in known
    ]
    lines = [
        (row.cell.id, *(f"{100 * end:.1f}" for end in (share.value, share.low, share.high)))
        for row, share in known
    ]
    return Plot(
        "Share of the machine's peak",
        "What each cell reaches of the multiply-adds that this machine does in its numbers.",
        intervals(marks, "% of the machine's peak", reference=0.0),
        table("Share of peak in percent", ("Cell", "Share", "Low", "High"), lines),
    )
