"""Out of the history, as records."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fqbench.history import database
from fqbench.history.records import Answer, KeptRow, KeptRun, Place, Series, Since, Size
from fqbench.history.surroundings import Machine, differences, environment_of, machine_of
from fqbench.measure.stats import Interval

if TYPE_CHECKING:
    from fqbench.machine import MachineFacts

RUN = """
    SELECT runs.*, machines.facts AS machine_facts, environments.facts AS environment_facts
    FROM runs JOIN machines ON machines.id = runs.machine
    JOIN environments ON environments.id = runs.environment
"""
ROWS = """
    SELECT figures.*, cells.name, cells.model, cells.backend, cells.device, cells.precision,
        answers.files, answers.artifact, answers.images, answers.truth, answers.calibration,
        answers.dataset, answers.metric, answers.image_count, answers.accuracy, answers.points
    FROM figures JOIN cells ON cells.id = figures.cell
    LEFT JOIN answers ON answers.id = figures.answer
"""


@contextmanager
def _as_written() -> Iterator[None]:
    """Values of another type than a writer stores, and text that is no JSON, are damage."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise sqlite3.DatabaseError(f"malformed: {error}") from error


@dataclass
class Reader:
    """An open history. Runs and answers that rows share are read once."""

    connection: sqlite3.Connection
    path: Path
    _runs: dict[int, KeptRun] = field(default_factory=dict)
    _answers: dict[int, Answer] = field(default_factory=dict)

    def size(self) -> Size:
        """How much there is."""
        (runs,) = self.connection.execute("SELECT count(*) FROM runs").fetchone()
        (rows,) = self.connection.execute("SELECT coalesce(sum(cells), 0) FROM runs").fetchone()
        return Size(runs, rows, self.path.stat().st_size)

    def recent(self, count: int) -> tuple[KeptRun, ...]:
        """The last runs, newest first."""
        found = self.connection.execute(f"{RUN} ORDER BY runs.id DESC LIMIT ?", (count,))
        return tuple(map(self._run, found))

    def run(self, number: int) -> KeptRun | None:
        """The run of that number; None where there is none."""
        if number in self._runs:
            return self._runs[number]
        found = self.connection.execute(f"{RUN} WHERE runs.id = ?", (number,)).fetchone()
        return None if found is None else self._run(found)

    def rows(self, number: int) -> tuple[KeptRow, ...]:
        """The rows of a run, in the order of its cells."""
        found = self.connection.execute(f"{ROWS} WHERE run = ? ORDER BY cell", (number,))
        return self._rows(found)

    def last_on(self, machine: Machine) -> KeptRun | None:
        """The last run on a kind of machine."""
        query = f"{RUN} WHERE machines.key = ? ORDER BY runs.id DESC LIMIT 1"
        found = self.connection.execute(query, (machine.key,)).fetchone()
        return None if found is None else self._run(found)

    def cells(self) -> tuple[str, ...]:
        """The names of all cells, in alphabetical order."""
        found = self.connection.execute("SELECT DISTINCT name FROM cells ORDER BY name")
        return tuple(_text(row["name"]) for row in found)

    def series(self, pattern: str, last: int) -> tuple[Series, ...]:
        """Of each cell that matches ``pattern``, the last ``last`` rows on each machine.

        ``pattern`` is as of file names: ``*`` stands for anything. A cell is a series for each
        project, number of threads and way of measuring.
        """
        places = self.connection.execute(
            "SELECT cells.*, machines.facts AS machine_facts FROM cells"
            " JOIN machines ON machines.id = cells.machine WHERE name GLOB ?"
            " ORDER BY name, cells.id",
            (pattern,),
        ).fetchall()
        return tuple(series for place in places for series in self._series(place, last))

    def _series(self, place: sqlite3.Row, last: int) -> Iterator[Series]:
        query = f"{ROWS} WHERE cell = ? ORDER BY run DESC LIMIT ?"
        found = self.connection.execute(query, (place["id"], last)).fetchall()
        rows = self._rows(reversed(found))
        ways: defaultdict[tuple[str | None, int, bool | None], list[KeptRow]] = defaultdict(list)
        for row in rows:
            if row.status == "ok":
                ways[row.method, row.batch, row.pinned].append(row)
        failed = [row for row in rows if row.status == "failed"]
        machine, gpu, project = _machine(place["machine_facts"]), place["gpu"], place["project"]
        for (method, batch, pinned), of_way in ways.items() or [((None, 1, None), [])]:
            where = Place(
                _text(place["name"]),
                machine,
                _text(gpu),
                _text(project),
                place["threads"],
                method,
                batch,
                pinned,
            )
            yield Series(where, tuple(sorted((*of_way, *failed), key=lambda r: r.run.number)))

    @_as_written()
    def _run(self, found: sqlite3.Row) -> KeptRun:
        run = KeptRun(
            number=found["id"],
            created=_text(found["created"]),
            project=_text(found["project"]),
            revision=_text_or_none(found["revision"]),
            dirty=_flag(found["dirty"]),
            fqbench=_text(found["fqbench"]),
            machine=_machine(found["machine_facts"]),
            gpu=_text_or_none(found["gpu"]),
            environment={
                _text(name): _text(value)
                for name, value in json.loads(found["environment_facts"]).items()
            },
            threads=found["threads"],
            spread=found["spread"],
            cells=found["cells"],
            failed=found["failed"],
        )
        self._runs[run.number] = run
        return run

    @_as_written()
    def _rows(self, stored: Iterable[sqlite3.Row]) -> tuple[KeptRow, ...]:
        return tuple(map(self._row, stored))

    def _row(self, stored: sqlite3.Row) -> KeptRow:
        # A row of SQLite's searches all its columns for each name.
        found = dict(zip(stored.keys(), stored, strict=True))
        run = self.run(found["run"])
        if run is None:
            raise sqlite3.DatabaseError("malformed: a row is of a run that is not there")
        return KeptRow(
            cell=_text(found["name"]),
            model=_text(found["model"]),
            backend=_text(found["backend"]),
            device=_text(found["device"]),
            precision=_text(found["precision"]),
            run=run,
            status=found["status"],
            reason=_text_or_none(found["reason"]),
            method=_text_or_none(found["method"]),
            weights=_text_or_none(found["weights"]),
            batch=found["batch"],
            pinned=_flag(found["pinned"]),
            launches=found["launches"],
            ms=_interval(found, "p50"),
            p90=found["p90"],
            minimum=found["minimum"],
            kernels=_interval(found, "kernels"),
            ratio=_interval(found, "ratio"),
            drop=_interval(found, "loss"),
            margin=found["margin"],
            agreement=found["agreement"],
            size_mb=found["size_mb"],
            answer=self._answer(found),
        )

    def _answer(self, found: Mapping[str, Any]) -> Answer:
        number = found["answer"]
        if number is None:
            return Answer()
        if number not in self._answers:
            points = np.frombuffer(found["points"] or b"", "<f4").tolist()
            self._answers[number] = Answer(
                files=_text_or_none(found["files"]),
                artifact=_text_or_none(found["artifact"]),
                images=_text_or_none(found["images"]),
                truth=_text_or_none(found["truth"]),
                calibration=_text_or_none(found["calibration"]),
                dataset=_text_or_none(found["dataset"]),
                metric=_text_or_none(found["metric"]),
                image_count=found["image_count"],
                accuracy=found["accuracy"],
                points=tuple(points),
            )
        return self._answers[number]


@contextmanager
def opened(folder: Path) -> Iterator[Reader]:
    """The history in ``folder``. Raises HistoryError where it cannot be read."""
    with database.reading(folder) as connection:
        yield Reader(connection, folder / database.FILE)


def since_last(folder: Path, facts: MachineFacts) -> Since | None:
    """What differs in the environment against the last run on this kind of machine.

    None where there was none. Raises HistoryError where the history cannot be read.
    """
    if not database.exists(folder):
        return None
    with opened(folder) as reader:
        before = reader.last_on(machine_of(facts))
    if before is None:
        return None
    return Since(before, differences(before.environment, environment_of(facts)))


@_as_written()
def _machine(facts: str) -> Machine:
    return Machine(_printable(json.loads(facts)))


def _printable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_text(name): _printable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_printable(each) for each in value]
    return _text(value) if isinstance(value, str) else value


def _interval(found: Mapping[str, Any], name: str) -> Interval | None:
    values = [found[key] for key in (name, f"{name}_low", f"{name}_high")]
    return None if None in values else Interval(*map(float, values))


def _flag(value: object) -> bool | None:
    return None if value is None else bool(value)


def _text(value: object) -> str:
    """A text without line breaks and escape sequences, which a terminal would obey."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)
