"""What ``fqbench run`` measures beside latency, where it is asked to: names, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

from fqbench.jsonvalue import Json
from fqbench.measure.end_to_end import EndToEnd, whole
from fqbench.measure.latency import TimingBudget
from fqbench.measure.memory import MemoryUse, peaks_of
from fqbench.measure.startup import Startup, starts_of
from fqbench.measure.stats import Interval, Launches
from fqbench.measure.throughput import Throughput

Measure = Literal["throughput", "memory", "startup", "end_to_end"]

MEASURES: tuple[Measure, ...] = get_args(Measure)

ONCE = TimingBudget(rounds=1, fewest=1)
"""Of a launch whose processes each find out something once."""


@dataclass(frozen=True)
class NotMeasured:
    """Why a cell has no figure; ``failed``: whether measuring it failed, and so the run."""

    reason: str
    failed: bool


Figure = Throughput | MemoryUse | Startup | EndToEnd | NotMeasured

Figures = Mapping[Measure, Figure]
"""Of one cell: those that were asked for."""


def costs(measure: Measure, times: Launches) -> Launches:
    """What a measure compares cells by, in launches, from the blocks that its processes answer.

    Less is better: seconds by inference at full load, MB at the peak, seconds to the first answer,
    seconds from file to answer.
    """
    if measure == "memory":
        return single([each.peak / 1e6 for each in peaks_of(times)])
    if measure == "startup":
        return single([each.total for each in starts_of(times)])
    return whole(times) if measure == "end_to_end" else times


def single(values: Sequence[float]) -> Launches:
    """Launches of which each gave one value."""
    return [[(value,)] for value in values]


def failures(figures: Figures) -> dict[Measure, str]:
    """Why measurements failed, by their names."""
    return {
        name: figure.reason
        for name, figure in figures.items()
        if isinstance(figure, NotMeasured) and figure.failed
    }


def figures_json(figures: Figures) -> dict[str, Json]:
    """As results hold them."""
    return {name: _figure(figure) for name, figure in figures.items()}


def _figure(figure: Figure) -> dict[str, Json]:
    if isinstance(figure, NotMeasured):
        return {"not_measured": figure.reason, "failed": figure.failed}
    found: dict[str, Json] = {}
    for field in fields(figure):
        value = getattr(figure, field.name)
        found[field.name] = value.to_json() if isinstance(value, Interval) else value
    return found
