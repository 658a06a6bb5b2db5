"""What the gate reports: a verdict for each cell, and what a reader needs to trust or doubt it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from fqbench.counting import counted
from fqbench.gate.evidence import Tolerances
from fqbench.gate.records import Machine, StoredResults
from fqbench.jsonvalue import Json
from fqbench.measure.drop import magnitude, word
from fqbench.measure.measures import Measure
from fqbench.measure.stats import Interval

SCHEMA = 1

Status = Literal[
    "same",
    "slower",
    "more memory",
    "faster",
    "less memory",
    "less accurate",
    "unclear",
    "new",
    "missing",
    "failed",
    "unchanged",
]

COMPARED: tuple[Status, ...] = (
    "same",
    "slower",
    "more memory",
    "faster",
    "less memory",
    "less accurate",
    "unchanged",
)

COMPARED_BY: Mapping[Measure | None, str] = {
    None: "time",
    "throughput": "time of an image at full load",
    "memory": "memory",
    "startup": "time to the first answer",
    "end_to_end": "time from file to answer",
}
"""What a verdict is about; None: latency."""


@dataclass(frozen=True)
class Verdict:
    """The gate's answer for one cell.

    ``base_ms`` and ``head_ms`` are medians, ``slowdown`` how many times as long HEAD takes and
    ``loss`` how many points of accuracy it lost, each None where it was not measured. They are of
    the last measurement, of ``launches`` launches; ``again``: whether there was an earlier one.
    ``measure``: what was measured in place of latency; of memory ``base_mb`` and ``head_mb`` are
    the medians, and ``slowdown`` how many times as much HEAD takes.
    """

    cell: str
    status: Status
    reason: str
    regressed: bool = False
    base_ms: float | None = None
    head_ms: float | None = None
    slowdown: Interval | None = None
    loss: Interval | None = None
    launches: int = 0
    again: bool = False
    measure: Measure | None = None
    base_mb: float | None = None
    head_mb: float | None = None


@dataclass(frozen=True)
class Decision:
    """The verdicts of all cells."""

    verdicts: tuple[Verdict, ...]

    @property
    def exit_code(self) -> int:
        """0: nothing is worse. 1: something regressed. 2: nothing could be compared."""
        if any(verdict.regressed for verdict in self.verdicts):
            return 1
        return 0 if any(verdict.status in COMPARED for verdict in self.verdicts) else 2


@dataclass(frozen=True)
class RatioChange:
    """FP32 over INT8 time on both sides; ``change``: HEAD's over BASE's."""

    base: float
    head: float
    change: Interval


@dataclass(frozen=True)
class GateReport:
    """A decision and its circumstances, a sentence each.

    ``base`` and ``head`` name the sides. ``cautions``: what a reader must know before trusting
    it. ``certainty``: what was done to be sure. ``machine``: what it was measured on. ``ratios``
    are by INT8 cell.
    """

    base: str
    head: str
    decision: Decision
    cautions: tuple[str, ...] = ()
    certainty: tuple[str, ...] = ()
    machine: tuple[str, ...] = ()
    ratios: Mapping[str, RatioChange] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """The whole as a JSON object."""
        return {
            "schema": SCHEMA,
            "kind": "gate",
            "exit_code": self.decision.exit_code,
            "base": self.base,
            "head": self.head,
            "cells": [_verdict_json(verdict) for verdict in self.decision.verdicts],
            "ratios": {
                cell: {**asdict(ratio), "change": ratio.change.to_json()}
                for cell, ratio in self.ratios.items()
            },
            "cautions": list(self.cautions),
            "certainty": list(self.certainty),
            "machine": list(self.machine),
        }


def describe_slowdown(slowdown: Interval, measure: Measure | None = None) -> str:
    """How much more HEAD takes: ``time changed by +5.1 % (+4.2 to +6.0)``."""
    # Adding zero takes the sign from what is rounded to it.
    value, low, high = (
        round(100 * (x - 1), 1) + 0.0 for x in (slowdown.value, slowdown.low, slowdown.high)
    )
    return f"{COMPARED_BY[measure]} changed by {value:+.1f} % ({low:+.1f} to {high:+.1f})"


def describe_loss(loss: Interval) -> str:
    """What became of accuracy: ``lost 0.30 points (0.10 to 0.50)``, or gained."""
    size = magnitude(loss)
    found = f"{size.value:.2f} points ({size.low:.2f} to {size.high:.2f})"
    return f"{word(loss.value, 'lost', 'gained')} {found}"


def describe_unclear(slowdown: Interval, tolerance: float, measure: Measure | None = None) -> str:
    """Why an interval does not show whether HEAD is within the tolerance."""
    if slowdown.low > 1:
        why = f"neither surely within nor surely beyond {100 * tolerance:.1f} %"
    else:
        width = 100 * (slowdown.high - slowdown.low)
        why = f"{width:.1f} % wide, too wide to tell {100 * tolerance:.1f} % from none"
    return f"{describe_slowdown(slowdown, measure)}, {why}"


def describe_tolerances(tolerances: Tolerances) -> str:
    """What counts as worse, and how often that is a false alarm."""
    return (
        f"Worse is what exceeds {percent(tolerances.slowdown)} and {tolerances.absolute_ms:g} ms,"
        f" or {tolerances.points:g} points of accuracy, by more than chance: on identical code any"
        f" cell is called worse in {percent(tolerances.alpha)} of comparisons at most."
    )


def describe_machines(base: StoredResults, head: StoredResults) -> tuple[str, ...]:
    """What the sides were measured on; once, where it is the same."""
    ours, theirs = _machine_lines(base.machine), _machine_lines(head.machine)
    if ours == theirs:
        return ours
    return tuple(
        f"{name}: {text}" for name, texts in (("BASE", ours), ("HEAD", theirs)) for text in texts
    )


def count_cells(count: int) -> str:
    """A number of cells in words: ``1 cell``, ``2 cells``."""
    return counted(count, "cell")


def percent(part: float) -> str:
    """A part of 1 in percent, with as many digits as it deserves."""
    value = 100 * part
    return f"{value:.0f} %" if abs(value) >= 10 else f"{value:.1f} %".replace(".0 %", " %")


def _verdict_json(verdict: Verdict) -> dict[str, Json]:
    intervals = {"slowdown": verdict.slowdown, "loss": verdict.loss}
    found = {name: None if each is None else each.to_json() for name, each in intervals.items()}
    return {**asdict(verdict), **found}


def _machine_lines(machine: Machine) -> tuple[str, ...]:
    cpu = machine.cpu
    facts = [f"CPU {cpu.model} ({', '.join(cpu.isa) if cpu.isa else 'instruction sets unknown'})"]
    facts += [f"{cpu.usable_cores} usable cores"] if cpu.usable_cores is not None else []
    facts += [f"threads: {machine.threads}"] if machine.threads is not None else []
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (", ".join(facts), f"Versions: {versions}") if versions else (", ".join(facts),)
