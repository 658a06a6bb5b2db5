"""A series with what happened in it: changes of time, of accuracy, of files and of versions."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from fqbench.history.changes import find_changes
from fqbench.history.records import KeptRow, Series
from fqbench.history.surroundings import Difference, differences
from fqbench.jsonvalue import Json

Unit = Literal["kernels", "ms"]


@dataclass(frozen=True)
class Change:
    """A change point: from this run on a cell takes ``factor`` times as long as before it.

    Of medians of the runs up to the changes before and after it.
    """

    factor: float

    def __str__(self) -> str:
        percent = 100 * (self.factor - 1)
        return f"{abs(percent):.1f} % {'slower' if percent > 0 else 'faster'} from here"


@dataclass(frozen=True)
class Event:
    """A row and what is new with it against the one before.

    ``change``: whether times changed here. ``files``: whether the runtime loads other files.
    ``images``: whether accuracy is of other images or labels. ``differences``: of environments.
    """

    row: KeptRow
    change: Change | None = None
    files: bool = False
    images: bool = False
    differences: tuple[Difference, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """In a few words each."""
        return (
            *([str(self.change)] if self.change else []),
            *(["other files"] if self.files else []),
            *(["other images"] if self.images else []),
            *map(str, self.differences),
        )

    def to_json(self) -> dict[str, Json]:
        """As ``--json`` prints it."""
        return {
            **self.row.to_json(),
            "change": None if self.change is None else self.change.factor,
            "other_files": self.files,
            "other_images": self.images,
            "environment": [
                {"name": each.name, "before": each.before, "now": each.now}
                for each in self.differences
            ],
        }


@dataclass(frozen=True)
class Timeline:
    """``unit``: that of the times in which changes were looked for."""

    series: Series
    events: tuple[Event, ...]
    unit: Unit

    def to_json(self) -> dict[str, Json]:
        """As ``--json`` prints it."""
        return {
            **self.series.place.to_json(),
            "unit": self.unit,
            "rows": [event.to_json() for event in self.events],
        }


def timeline(series: Series) -> Timeline:
    """What happened in a series.

    Changes are looked for in units of a reference kernel where every run has them: they do not
    depend on how fast the machine was that day. Else in milliseconds.
    """
    timed = [row for row in series.rows if row.ms is not None]
    unit: Unit = "kernels" if all(row.kernels is not None for row in timed) else "ms"
    changes = _changes(timed, unit)
    events, before = [], None
    for row in series.rows:
        event = Event(row, changes.get(row.run.number))
        if row.status == "ok":
            event = event if before is None else _against(before, event)
            before = row
        events.append(event)
    return Timeline(series, tuple(events), unit)


def _changes(timed: Sequence[KeptRow], unit: Unit) -> dict[int, Change]:
    """By the number of the first run after each."""
    if not timed:
        return {}
    found = [row.kernels if unit == "kernels" else row.ms for row in timed]
    values = [each.value for each in found if each is not None]
    starts = find_changes(values)
    ends = zip((0, *starts), (*starts, len(values)), strict=True)
    medians = [statistics.median(values[start:end]) for start, end in ends]
    return {
        timed[start].run.number: Change(after / before)
        for start, (before, after) in zip(starts, pairwise(medians), strict=True)
        if before > 0
    }


def _against(before: KeptRow, event: Event) -> Event:
    row, ours, theirs = event.row, before.answer, event.row.answer
    return Event(
        row,
        event.change,
        files=None not in (ours.files, theirs.files) and ours.files != theirs.files,
        images=(ours.images, ours.truth) != (theirs.images, theirs.truth),
        differences=differences(before.run.environment, row.run.environment),
    )
