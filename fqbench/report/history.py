"""The history in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.bar import Bar
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from fqbench.counting import counted
from fqbench.history.changes import MISSING, can_find
from fqbench.history.records import KeptRun, Place, Since, Size
from fqbench.history.timeline import Event, Timeline
from fqbench.report.ids import print_by_id

NOTHING = "-"
LATEST = ("Cell", "Runs", "ms", "Ratio", "Accuracy", "Last change", "Machine")
NUMBERS = frozenset(("Run", "ms", "Ratio", "Accuracy", "Drop", "Cells", "Failed", "Runs"))
BAR = 24
"""Characters of the plot beside a table."""


def show_runs(runs: Sequence[KeptRun], size: Size, where: str, console: Console) -> None:
    """Print the last runs, newest first, and how large the history is."""
    table = _table("Run", "Ended (UTC)", "Commit", "fqbench", "Machine", "Cells", "Failed")
    for run in runs:
        failed = Text(str(run.failed), style="red" if run.failed else "dim")
        table.add_row(
            str(run.number),
            when(run.created),
            run.code or NOTHING,
            run.fqbench,
            Text(run.machine.label + (f", {run.gpu}" if run.gpu else "")),
            str(run.cells),
            failed,
        )
    console.print(table)
    console.print(Text(describe(size, where), style="dim"))


def describe(size: Size, where: str) -> str:
    """How large the history is, in a sentence."""
    kept = f"{counted(size.runs, 'run')}, {counted(size.rows, 'row')}"
    return f"{kept}, {size.bytes / 1e6:.1f} MB in {where}."


def show_timeline(found: Timeline, console: Console) -> None:
    """Print one series: a line a run, with a plot of its times and what changed."""
    console.print(Text(title(found.series.place), style="bold"))
    table = _table("Run", "Ended (UTC)", "Commit", "ms", "", "Ratio", "Accuracy", "Drop", "Changed")
    scale = _scale(found)
    for event in found.events:
        table.add_row(*_line(event, scale))
    console.print(table)
    for sentence in sentences(found):
        console.print(Text(sentence, style="dim"))


def show_latest(found: Sequence[Timeline], console: Console) -> None:
    """Print the last row and the last change of several series."""
    rows = []
    for each in found:
        *_, last = each.events
        changes = [event for event in each.events if event.change is not None]
        told = f"run {changes[-1].row.run.number}: {changes[-1].change}" if changes else NOTHING
        _, _, _, ms, _, ratio, accuracy, _, _ = _line(last, None)
        place = each.series.place
        texts = (place.cell, str(len(each.events)), ms, ratio, accuracy, told, place.machine.label)
        rows.append([Text(str(text)) for text in texts])
    print_by_id(LATEST, rows, console, numbers=NUMBERS, texts=("Last change", "Machine"))
    if not can_find():
        console.print(Text(f"{MISSING}.", style="dim"))


def title(place: Place) -> str:
    """What a series is of."""
    facts = [place.machine.label]
    facts += [place.gpu] if place.gpu else []
    facts += [counted(place.threads, "thread")]
    facts += [f"{place.batch} images at once"] if place.batch > 1 else []
    facts += [f"by {place.method}"] if place.method else []
    facts += ["not bound to a core"] if place.pinned is False else []
    facts += [f"of {place.project}"] if place.project else []
    return f"{place.cell}: {', '.join(facts)}"


def sentences(found: Timeline) -> Iterator[str]:
    """How the times are to be read, and where changes were looked for."""
    yield "ms: median of an inference; the bar is its 95 % confidence interval."
    if not can_find():
        yield f"{MISSING}."
    elif found.unit == "kernels":
        yield (
            "Changes were looked for in times in units of the reference kernel that ran beside"
            " them, which depend less on how fast the machine was."
        )
    else:
        yield "Changes were looked for in ms: no reference kernel ran beside all of them."


def since_sentence(found: Since | None) -> str | None:
    """What differs in the environment against the last run; None where there was none."""
    if found is None:
        return None
    code = f", {found.run.code}" if found.run.code else ""
    before = f"run {found.run.number} of {when(found.run.created)} UTC{code}"
    if not found.differences:
        return f"The environment is that of the last run on this kind of machine ({before})."
    listed = "; ".join(map(str, found.differences))
    return f"Against the last run on this kind of machine ({before}): {listed}."


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for name in columns:
        right = name in NUMBERS
        wide = name in ("Changed", "Machine")
        table.add_column(name, justify="right" if right else "left", no_wrap=not wide)
    return table


def _scale(found: Timeline) -> tuple[float, float] | None:
    """Where the plot begins and ends, in ms; None without times."""
    times = [event.row.ms for event in found.events if event.row.ms is not None]
    if not times:
        return None
    low, high = min(each.low for each in times), max(each.high for each in times)
    return low, max(high, low * 1.001)


def _line(event: Event, scale: tuple[float, float] | None) -> tuple[RenderableType, ...]:
    row = event.row
    run, ms = row.run, row.ms
    changed = "; ".join(event.texts)
    if row.status != "ok":
        changed = f"{row.status}: {row.reason or 'no reason was kept'}"
    style = "" if event.change is None else "red" if event.change.factor > 1 else "green"
    return (
        str(run.number),
        when(run.created),
        run.code or NOTHING,
        NOTHING if ms is None else f"{ms.value:.2f}",
        _bar(event, scale),
        NOTHING if row.ratio is None else f"{row.ratio.value:.2f}",
        NOTHING if row.answer.accuracy is None else f"{row.answer.accuracy:.2f}",
        NOTHING if row.drop is None else f"{row.drop.value:.2f}",
        Text(changed, style=style if row.status == "ok" else "red"),
    )


def _bar(event: Event, scale: tuple[float, float] | None) -> RenderableType:
    if scale is None or event.row.ms is None:
        return ""
    low, high = scale
    width = high - low
    begin, end = (BAR * (each - low) / width for each in (event.row.ms.low, event.row.ms.high))
    # Half a character is the least that shows.
    return Bar(BAR, begin, max(end, begin + 0.5), width=BAR)


def when(created: str) -> str:
    """Date and time, to the minute."""
    return created[:16].replace("T", " ")
