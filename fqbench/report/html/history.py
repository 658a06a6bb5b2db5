"""``history.html``: cells over time, with changes marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fqbench.counting import counted
from fqbench.fileio import write_text
from fqbench.history.records import KeptRun, Size
from fqbench.history.timeline import Event, Timeline
from fqbench.report.history import describe, sentences, title, when
from fqbench.report.html.datatable import DataTable, table
from fqbench.report.html.render import render
from fqbench.report.html.series import Measured, TimePlot, time_plot

MOST_PLOTS = 12
"""Series that are drawn: first those with the latest changes. All have a line in the table."""

WIDE = frozenset({"Machine", "Runs", "Ratio", "Drop"})
"""Columns of the cells that a phone has no room for."""
CELLS = ("Cell", "Machine", "Runs", "ms", "Ratio", "Accuracy", "Drop", "Changes")
CHANGES = ("Run", "Ended (UTC)", "Commit", "Cell", "Machine", "Change", "Differs from before")
RUNS = ("Run", "Ended (UTC)", "Commit", "fqbench", "Machine", "Cells", "Failed", "Project")
NUMBERS = ("Run", "Ended (UTC)", "Commit", "ms", "From", "To", "Ratio", "Accuracy", "Happened")
NOTHING = "-"


@dataclass(frozen=True)
class HistoryPage:
    """From the top to the bottom; ``left_out``: how many series are not drawn."""

    size: str
    changes: DataTable
    cells: DataTable
    plots: tuple[TimePlot, ...]
    left_out: int
    notes: tuple[str, ...]
    runs: DataTable


def page(found: Sequence[Timeline], runs: Sequence[KeptRun], size: Size, where: str) -> HistoryPage:
    """The page of these series; ``runs``: the last ones, newest first."""
    drawn = sorted(found, key=_latest_change, reverse=True)[:MOST_PLOTS]
    return HistoryPage(
        describe(size, where),
        table("Changes of time, latest first", CHANGES, _changes(found)),
        table("Cells as they were last", CELLS, map(_cell, found), wide=WIDE),
        tuple(plot for each in drawn if (plot := _plot(each)) is not None),
        len(found) - len(drawn),
        tuple(dict.fromkeys(text for each in found for text in sentences(each))),
        table("The last runs", RUNS, map(_run, runs)),
    )


def write(shown: HistoryPage, path: Path) -> Path:
    """Write the page, all of it or nothing; return its path."""
    return write_text(path, render("history.html.j2", shown))


def _latest_change(found: Timeline) -> int:
    """The run of the last change, 0 where there is none."""
    return max((event.row.run.number for event in found.events if event.change), default=0)


def _changes(found: Sequence[Timeline]) -> Iterator[tuple[str, ...]]:
    events = [(each, event) for each in found for event in each.events if event.change is not None]
    for each, event in sorted(events, key=lambda pair: -pair[1].row.run.number):
        yield (
            *_of_run(event.row.run),
            each.series.place.cell,
            each.series.place.machine.label,
            str(event.change),
            "; ".join(event.texts[1:]) or "nothing that is known",
        )


def _cell(found: Timeline) -> tuple[str, ...]:
    *_, last = found.events
    changes = [event for event in found.events if event.change is not None]
    return (
        found.series.place.cell,
        found.series.place.machine.label,
        str(len(found.events)),
        *_figures(last),
        NOTHING if last.row.drop is None else f"{last.row.drop.value:.2f}",
        f"{len(changes)}, last in run {changes[-1].row.run.number}" if changes else "none",
    )


def _figures(event: Event) -> tuple[str, str, str]:
    row = event.row
    return (
        NOTHING if row.ms is None else f"{row.ms.value:.3f}",
        NOTHING if row.ratio is None else f"{row.ratio.value:.2f}",
        NOTHING if row.answer.accuracy is None else f"{row.answer.accuracy:.2f}",
    )


def _of_run(run: KeptRun) -> tuple[str, str, str]:
    return str(run.number), when(run.created), run.code or NOTHING


def _run(run: KeptRun) -> tuple[str, ...]:
    counts = str(run.cells), str(run.failed)
    return (*_of_run(run), run.fqbench, run.machine.label, *counts, run.project or NOTHING)


def _plot(found: Timeline) -> TimePlot | None:
    """None of a series that was never timed."""
    place = found.series.place
    timed = [event for event in found.events if event.row.ms is not None]
    if not timed:
        return None
    numbers = table(f"{place.cell}, run by run", NUMBERS, map(_numbers, found.events))
    changes = [event for event in timed if event.change is not None]
    listed = [f"run {event.row.run.number}: {event.change}" for event in changes]
    found_changes = "; ".join(listed) or "no change was found"
    about = f"{title(place)}. {counted(len(timed), 'run')}; {found_changes}."
    notes = [(event.row.run.number, _short(event)) for event in changes]
    return time_plot(place.cell, about, list(map(_measured, timed)), notes, numbers)


def _numbers(event: Event) -> tuple[str, ...]:
    row = event.row
    ends = (NOTHING,) * 2 if row.ms is None else (f"{row.ms.low:.3f}", f"{row.ms.high:.3f}")
    ms, ratio, accuracy = _figures(event)
    failed = f"{row.status}: {row.reason}" if row.status != "ok" else ""
    happened = failed or "; ".join(event.texts)
    return (*_of_run(row.run), ms, *ends, ratio, accuracy, happened)


def _measured(event: Event) -> Measured:
    run, ms = event.row.run, event.row.ms
    assert ms is not None
    tip = [f"run {run.number}, {when(run.created)}", *([run.code] if run.code else [])]
    tip += [f"{ms.value:.3f} ms ({ms.low:.3f} to {ms.high:.3f})", *event.texts]
    return Measured(run.number, ms, "\n".join(tip))


def _short(event: Event) -> str:
    factor = 1.0 if event.change is None else event.change.factor
    return f"{100 * (factor - 1):+.1f} %"
