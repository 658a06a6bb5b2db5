"""What a reader of the table has to know, in a sentence each, the most important first.

First what went wrong, then what the marks of the table mean, then what its columns are, at last
what weakens the figures. ``notes.py`` says all of it, cell by cell.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from fqbench.backends import label_of
from fqbench.counting import counted
from fqbench.measure.launches import NARROW
from fqbench.measure.measures import NotMeasured
from fqbench.report.table import interval, is_best_float, is_shown, metric_label
from fqbench.results import Results, Row

MOST_NAMES = 3
"""As many cells are named in a sentence; how many more there are is said."""

LONGEST_REASON = 200
"""Characters of a reason: one of a crash may hold the runtime's whole message."""


def summary(results: Results) -> tuple[str, ...]:
    """The sentences; none where no row has anything to say."""
    rows = tuple(filter(is_shown, results.rows))
    parts = (
        *(_failed, _outside, _not_known, _lacking, _columns),
        *(_slow, _not_run, _timing, _saturating),
    )
    return (*(text for part in parts for text in part(rows)), *_machine(results))


def _failed(rows: Sequence[Row]) -> Iterator[str]:
    return _reasons(rows, failed=True)


def _not_run(rows: Sequence[Row]) -> Iterator[str]:
    return _reasons(rows, failed=False)


def _reasons(rows: Sequence[Row], *, failed: bool) -> Iterator[str]:
    """Cells without figures, once for each reason: those that ``failed``, or that could not run."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.reason and (row.status == "failed") == failed:
            found.setdefault((row.status, row.reason), []).append(row.cell.id)
        for name, figure in row.measures.items():
            if isinstance(figure, NotMeasured) and figure.failed == failed:
                status = f"{name} {'failed' if failed else 'not measured'}"
                found.setdefault((status, figure.reason), []).append(row.cell.id)
    for (status, reason), cells in found.items():
        short = textwrap.shorten(reason, LONGEST_REASON, placeholder=" ...")
        yield f"{status.capitalize()}: {_listed(cells)}: {short}"


def _outside(rows: Sequence[Row]) -> Iterator[str]:
    found = [row for row in rows if row.against_margin == "outside" and row.drop is not None]
    worst = sorted(found, key=lambda row: -(row.drop.value if row.drop is not None else 0.0))
    told = [f"{row.cell.id} loses {row.drop.value:.2f}" for row in worst if row.drop is not None]
    if told:
        yield f"over: more is lost than the margin allows: {_listed(told)}."


def _not_known(rows: Sequence[Row]) -> Iterator[str]:
    found = [row for row in rows if row.against_margin == "not known"]
    if not found:
        return
    needed = sorted({row.images_needed for row in found if row.images_needed is not None})
    enough = ""
    if needed:
        span = f"{needed[0]}" if len(needed) == 1 else f"{needed[0]} to {needed[-1]}"
        enough = f"; about {span} would"
    yield (
        f"?: the images cannot tell whether the drop is within the margin, for {len(found)} of"
        f" {counted(sum(row.against_margin is not None for row in rows), 'INT8 cell')}{enough}."
    )


def _lacking(rows: Sequence[Row]) -> Iterator[str]:
    """What stands in the place of accuracy, and what accuracy needs."""
    needed = {row.cell.model: row.needs for row in rows if row.needs is not None}
    for model, needs in list(needed.items())[:1]:
        others = len(needed) - 1
        likewise = f"; likewise {others} more" if others else ""
        yield f"No accuracy: {model} {needs}{likewise}."
    if any(row.agreement is not None for row in rows if row.needs is not None):
        yield "Agreement: mean cosine of INT8's and FP32's outputs, 1 alike, 0 unrelated."
    if any(row.weights == "synthetic" for row in rows):
        yield "(synthetic) or *: random weights; latency and ratio hold, accuracy there is none."


def _columns(rows: Sequence[Row]) -> Iterator[str]:
    if any(row.latency is not None for row in rows):
        yield (
            "ms: median of single inferences, of the runtime alone. Ratio: FP32 over INT8 time on"
            " the same backend."
        )
    if any(is_best_float(row) for row in rows):
        yield "Best float: time of the fastest float of any backend here over that of INT8."
    if any(row.drop is not None for row in rows):
        metrics = dict.fromkeys(metric_label(row.metric) for row in rows if row.drop is not None)
        yield (
            f"Drop: FP32 minus INT8, in points of {' or '.join(metrics)}, on the same images;"
            " negative: INT8 gains."
            " Margin: ok where the drop's whole 95 % interval is within."
        )


def _slow(rows: Sequence[Row]) -> Iterator[str]:
    replaced = [_where(row) for row in rows if row.slowdown is not None]
    if replaced:
        yield f"INT8 is slower, so FP32 runs in its place: {_listed(replaced)}."
    slow = [_where(row) for row in rows if row.int8_gain is not None and row.slowdown is None]
    if slow:
        yield f"INT8 is not certainly faster than the best float: {_listed(slow)}."


def _timing(rows: Sequence[Row]) -> Iterator[str]:
    wide = [row for row in rows if row.stopped == "time"]
    if wide:
        named = _listed(list(dict.fromkeys(row.cell.model for row in wide)))
        ratios = [row.ratio for row in wide if row.ratio is not None]
        widest = max(ratios, key=lambda each: each.high - each.low, default=None)
        said = "" if widest is None else f"; the least certain one is {interval(widest)}"
        yield f"Ratios not known to {100 * NARROW:g} % within the time given: {named}{said}."
    if any(row.launches is not None and not row.pinned for row in rows):
        yield "Not all cells were bound to a core while they were timed: ratios are less certain."


def _saturating(rows: Sequence[Row]) -> Iterator[str]:
    found = dict.fromkeys(label_of(row.cell.backend) for row in rows if row.saturates)
    if found:
        yield (
            f"8-bit products saturate on this CPU in {' and '.join(found)}: layers that could get"
            " weights of 7 bits."
        )


def _machine(results: Results) -> Iterator[str]:
    machine = results.machine
    threads, speed = machine["threads"], machine.get("reference")
    noise = (
        f"; slow moments took {100 * speed['spread']:.0f} % longer than fast ones" if speed else ""
    )
    yield f"On {machine['cpu']['model']}, {counted(threads, 'thread')}{noise}."


def _where(row: Row) -> str:
    return f"{row.cell.model} on {label_of(row.cell.backend)}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown
