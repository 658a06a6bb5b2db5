"""What is read from the history: frozen records. Texts are printable, whoever wrote the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from fqbench.history.surroundings import Difference, Machine
from fqbench.jsonvalue import Json
from fqbench.measure.stats import Interval

SHORT = 10
"""Digits of a commit that are shown."""


@dataclass(frozen=True)
class KeptRun:
    """A run. ``number``: what it is called; ``created``: when it ended, in UTC (ISO 8601).

    ``project``, ``revision``, ``dirty``: see ``provenance``. ``environment``: see
    ``surroundings.environment_of``. ``spread``: how noisy the machine was, see
    ``reference.Speed``. ``cells`` and ``failed`` count its rows.
    """

    number: int
    created: str
    project: str
    revision: str | None
    dirty: bool | None
    fqbench: str
    machine: Machine
    gpu: str | None
    environment: Mapping[str, str]
    threads: int
    spread: float | None
    cells: int
    failed: int

    @property
    def code(self) -> str:
        """The commit in short, with a + where files differed from it; empty if unknown."""
        if self.revision is None:
            return ""
        return self.revision[:SHORT] + ("+" if self.dirty else "")

    def to_json(self) -> dict[str, Json]:
        """As ``--json`` prints it."""
        machine: dict[str, Json] = {"key": self.machine.key, **self.machine.facts}
        return {**asdict(self), "machine": machine, "environment": dict(self.environment)}


@dataclass(frozen=True)
class Answer:
    """What a cell's files answered, and on which images; digests are SHA-256.

    ``points``: the accuracy on all images, then on resamples of them.
    """

    files: str | None = None
    artifact: str | None = None
    images: str | None = None
    truth: str | None = None
    calibration: str | None = None
    dataset: str | None = None
    metric: str | None = None
    image_count: int | None = None
    accuracy: float | None = None
    points: tuple[float, ...] = ()


@dataclass(frozen=True)
class KeptRow:
    """A cell in a run: as in ``results.Row``.

    ``ms``: the median latency; ``minimum`` the shortest. ``kernels``: the time in units of a
    reference kernel.
    """

    cell: str
    model: str
    backend: str
    device: str
    precision: str
    run: KeptRun
    status: Literal["ok", "failed", "unsupported", "skipped"]
    reason: str | None
    method: str | None
    weights: str | None
    batch: int
    pinned: bool | None
    launches: int | None
    ms: Interval | None
    p90: float | None
    minimum: float | None
    kernels: Interval | None
    ratio: Interval | None
    drop: Interval | None
    margin: float | None
    agreement: float | None
    size_mb: float | None
    answer: Answer

    def to_json(self) -> dict[str, Json]:
        """As ``--json`` prints it."""
        run = self.run
        told = {"run": run.number, "created": run.created, "revision": run.revision}
        found = {**asdict(self), **told}
        found["answer"].pop("points")
        for name in ("ms", "kernels", "ratio", "drop"):
            interval: Interval | None = getattr(self, name)
            found[name] = None if interval is None else interval.to_json()
        return found


@dataclass(frozen=True)
class Place:
    """What a series is of: a cell, on one machine, measured in one way."""

    cell: str
    machine: Machine
    gpu: str
    project: str
    threads: int
    method: str | None
    batch: int
    pinned: bool | None

    def to_json(self) -> dict[str, Json]:
        """As ``--json`` prints it."""
        return {**asdict(self), "machine": self.machine.key}


@dataclass(frozen=True)
class Series:
    """The rows of a cell that ran in the same way on one kind of machine, oldest first."""

    place: Place
    rows: tuple[KeptRow, ...]


@dataclass(frozen=True)
class Since:
    """What differs in the environment against an earlier run on this machine."""

    run: KeptRun
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Size:
    """How large the history is."""

    runs: int
    rows: int
    bytes: int
