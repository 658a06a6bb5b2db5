"""What results hold, as the gate reads them from files: frozen records, validated when built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fqbench.measure.margin import Standing, standing
from fqbench.measure.stats import Interval

NAME_LENGTH = 500
TEXT_LENGTH = 2000


def _printable(value: object) -> object:
    """Texts end up in terminals: no escape sequences, no line breaks."""
    if not isinstance(value, str):
        return value
    return "".join(c if c.isprintable() else " " for c in value[:TEXT_LENGTH]).strip()


def _printable_name(name: str) -> str:
    if not name.isprintable() or not name.strip():
        raise ValueError("expected a name of printable characters")
    return name


def _duplicate(names: Iterable[str]) -> str | None:
    """A name that occurs more than once; None where there is none."""
    return next((name for name, times in Counter(names).items() if times > 1), None)


def _in_range(value: float) -> float:
    """A value whose logarithm and square are finite and exact enough."""
    if not 1e-12 <= value <= 1e12:
        raise ValueError("expected a positive number, from 1e-12 to 1e12")
    return value


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[Number, AfterValidator(_in_range)]
"""Times in s or ms, and ratios."""

Points = Annotated[Number, Field(ge=0, le=100)]
Count = Annotated[int, Field(strict=True, ge=0)]
Text = Annotated[str, BeforeValidator(_printable)]
Name = Annotated[str, Field(max_length=NAME_LENGTH), AfterValidator(_printable_name)]
Launches = tuple[tuple[tuple[Positive, ...], ...], ...]
"""Times in seconds: launches x rounds x times."""


class Record(BaseModel):
    """Unknown keys are ignored: later versions write more."""

    model_config = ConfigDict(frozen=True)


class Cpu(Record):
    """``isa``: instruction sets that decide how fast convolutions are; None: unknown."""

    model: Text = "unknown"
    isa: tuple[Text, ...] | None = None
    cores: Count | None = None
    usable_cores: Count | None = None


class Kernels(Record):
    """``spread``: the part by which the float32 kernel's slow blocks exceeded its fast ones."""

    spread: Number | None = None


class Gpu(Record):
    """The GPU of a machine whose GPU cells were timed."""

    name: Text | None = None
    driver: Text | None = None


class Machine(Record):
    """What the figures were measured on; None: not in the file."""

    cpu: Cpu = Cpu()
    gpu: Gpu = Gpu()
    threads: Count | None = None
    versions: dict[Name, Text] = {}
    environments: dict[Name, dict[Name, Text]] = {}
    reference: Kernels | None = None


class Figure(Record):
    """A value with its 95 % confidence interval."""

    value: Number
    ci95: tuple[Number, Number]

    @property
    def interval(self) -> Interval:
        """The same as an ``Interval``."""
        return Interval(self.value, *self.ci95)


class Factor(Figure):
    """A figure above 0."""

    value: Positive
    ci95: tuple[Positive, Positive]


class Times(Record):
    """Median and shortest time of an inference in ms."""

    p50: Positive
    min: Positive


class Row(Record):
    """One cell of a run, as in ``results.json``.

    ``in_kernels``: its time in units of its reference kernel, where single times are not kept.
    """

    cell: Name
    model: Text | None = None
    device: Text | None = None
    precision: Text | None = None
    status: Literal["ok", "failed", "unsupported", "skipped"] = "ok"
    reason: Text | None = None
    weights: Text | None = None
    method: Text | None = None
    latency_ms: Times | None = None
    batch: Count = 1
    in_kernels: Factor | None = None
    launches: Count | None = None
    pinned: Annotated[bool, Field(strict=True)] | None = None
    ratio: Factor | None = None
    metric: Text | None = None
    accuracy: Points | None = None
    dataset: Text | None = None
    images: Count | None = None
    drop: Figure | None = None
    margin: Annotated[Number, Field(ge=0)] | None = None
    agreement: Annotated[Number, Field(ge=-1.001, le=1.001)] | None = None
    needs: Text | None = None
    calibration: Text | None = None
    hashes: dict[Name, Text] = {}

    @property
    def against_margin(self) -> Standing | None:
        """Whether INT8's drop is inside of its margin; None where either is missing."""
        if self.drop is None or self.margin is None:
            return None
        return standing(self.drop.interval, self.margin)


class Group(Record):
    """Cells that were timed interleaved, and the reference kernels beside them.

    Launch and round ``i`` of all of them are the same ones.
    """

    cells: dict[Name, Launches]
    reference: dict[Name, Launches] = {}

    @model_validator(mode="after")
    def _rounds_are_shared(self) -> Group:
        named = {**{f"reference {name}": v for name, v in self.reference.items()}, **self.cells}
        shapes = {name: tuple(len(rounds) for rounds in times) for name, times in named.items()}
        for name, times in named.items():
            blocks = [block for rounds in times for block in rounds]
            if not times or not all(times) or not all(blocks):
                raise ValueError(f"{name} has a launch or a round without times")
        odd = next((name for name in shapes if shapes[name] != next(iter(shapes.values()))), None)
        if odd is not None:
            raise ValueError(f"{odd} has other launches or rounds than the cells beside it")
        return self


class Samples(Record):
    """Single times; accuracies in points, first on all images, then on resamples of them."""

    groups: tuple[Group, ...] = ()
    accuracies: dict[Name, Annotated[tuple[Points, ...], Field(min_length=2)]] = {}

    @model_validator(mode="after")
    def _cells_are_of_one_group(self) -> Samples:
        duplicate = _duplicate(name for group in self.groups for name in group.cells)
        if duplicate is not None:
            raise ValueError(f"cell {duplicate} is in two groups")
        return self


class Run(Record):
    """The rows of one run, with the samples they were computed from where those are kept."""

    created: Text
    rows: tuple[Row, ...]
    samples: Samples = Samples()

    @model_validator(mode="after")
    def _cells_are_unique(self) -> Run:
        duplicate = _duplicate(row.cell for row in self.rows)
        if duplicate is not None:
            raise ValueError(f"cell {duplicate} has two rows")
        return self

    @cached_property
    def by_cell(self) -> Mapping[str, Row]:
        """Rows by the names of their cells."""
        return {row.cell: row for row in self.rows}

    def group(self, cell: str) -> Group | None:
        """What ``cell`` was timed with; None where its times were not kept."""
        return next((group for group in self.samples.groups if cell in group.cells), None)


Kind = Literal["results", "baseline", "pytest-benchmark"]


@dataclass(frozen=True)
class StoredResults:
    """One side of a comparison: one or more runs on one machine.

    ``accepted``: broken values that a baseline keeps, each cell with the reason that was given.
    ``notes``: what the file lacks, a sentence each.
    """

    path: Path
    kind: Kind
    machine: Machine
    runs: tuple[Run, ...]
    accepted: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
