"""All that the page of a run shows: a pure function of its results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fqbench.examine.record import Broken
from fqbench.history.records import Since
from fqbench.measure.measures import failures
from fqbench.report import by_method, comparison, gpu, measures, methods, support, versions
from fqbench.report.history import when
from fqbench.report.html.advice import Advice, advices
from fqbench.report.html.broken import BrokenView
from fqbench.report.html.broken import view as broken_view
from fqbench.report.html.datatable import DataTable, table
from fqbench.report.html.drops import drops
from fqbench.report.html.environment import EnvironmentView, environment
from fqbench.report.html.layers import LayersView
from fqbench.report.html.layers import view as layers_view
from fqbench.report.html.plots import Plot
from fqbench.report.html.ratios import against_peak, against_published
from fqbench.report.html.threshold import ThresholdView
from fqbench.report.html.threshold import view as threshold_view
from fqbench.report.html.timings import Timing, timings
from fqbench.report.html.tradeoff import tradeoffs
from fqbench.report.notes import notes
from fqbench.report.table import COLUMNS, TO_BEST_FLOAT, is_shown, lines
from fqbench.results import Results, Row
from fqbench.samples import Samples

LESSER = frozenset({"Device", "Of peak", "Metric", "Agreement", "INT8 layers", "Method"})
"""Columns of the table that are shown where all are asked for: a screen has room for the others."""

WIDE = frozenset({"FP32 ms", "INT8 ms", TO_BEST_FLOAT, "FP32", "INT8"})
"""Columns that a phone has no room for beside ratio, drop and margin."""


@dataclass(frozen=True)
class Section:
    """A table with its title and what its figures mean, a sentence each."""

    title: str
    table: DataTable
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """From the top to the bottom. What is None or empty is left out of the page.

    ``broken``, ``threshold`` and ``layers``: what INT8 broke, what it does to decisions at a fixed
    threshold, and what its layers cost.
    """

    title: str
    created: str
    advices: tuple[Advice, ...]
    tradeoffs: tuple[Plot, ...]
    table: DataTable
    published: Plot | None
    hardware: str
    peak: Plot | None
    drops: Plot | None
    timings: tuple[Timing, ...]
    left_out: DataTable
    environment: EnvironmentView
    further: tuple[Section, ...]
    notes: tuple[str, ...]
    broken: BrokenView | None
    threshold: ThresholdView | None
    layers: LayersView | None


def page(
    results: Results, samples: Samples, since: Since | None = None, broken: Broken = Broken()
) -> Page:
    """The page of one run.

    ``since``: what differs in the environment from the last one; ``broken``: images to show.
    """
    rows = results.rows
    return Page(
        title="FP32 against INT8",
        created=when(results.created),
        advices=advices(rows, samples),
        tradeoffs=tradeoffs(rows),
        table=table(
            "FP32 against INT8",
            COLUMNS,
            [line.texts for line in lines(rows)],
            lesser=LESSER,
            wide=WIDE,
        ),
        published=against_published(rows),
        hardware=comparison.HARDWARE,
        peak=against_peak(rows),
        drops=drops(rows),
        timings=timings(rows, samples),
        left_out=table("Cells without figures", ("Cell", "State", "Reason"), left_out(rows)),
        environment=environment(results.machine, since),
        further=tuple(_further(rows)),
        notes=notes(results),
        broken=broken_view(rows, broken),
        threshold=threshold_view(rows),
        layers=layers_view(rows),
    )


def left_out(rows: Sequence[Row]) -> tuple[tuple[str, str, str], ...]:
    """Cells that failed first, then those that were skipped, each with its reason."""
    missing = [
        (row.cell.id, row.status, row.reason or "")
        for row in rows
        if row.status != "ok" and is_shown(row)
    ]
    missing += [
        (row.cell.id, "failed", f"{name}: {reason}")
        for row in rows
        for name, reason in failures(row.measures).items()
    ]
    return tuple(sorted(missing, key=lambda line: line[1] != "failed"))


def _further(rows: Sequence[Row]) -> Iterator[Section]:
    """The other tables of the report."""
    for known in (by_method, versions):
        if beside := known.lines(rows):
            shown = table(known.TITLE, known.COLUMNS, beside)
            yield Section(known.TITLE, shown, (known.MEANING,))
    for found in measures.sections(rows, whole=True):
        yield Section(found.title, table(found.title, found.columns, found.lines), found.notes)
    if on_gpu := gpu.lines(rows):
        yield Section(gpu.TITLE, table(gpu.TITLE, gpu.COLUMNS, on_gpu), gpu.notes(rows))
    if measured := methods.methods(rows):
        shown = table(methods.TITLE, methods.COLUMNS, measured)
        yield Section(methods.TITLE, shown, tuple(filter(None, [methods.others(rows)])))
    title = "What runs on this machine"
    yield Section(title, table(title, support.columns(), support.support()))
