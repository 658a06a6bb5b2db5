"""Whether anything regressed from BASE to HEAD: a pure function of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fqbench.gate.evidence import AccuracyEvidence, SpeedEvidence, Tolerances
from fqbench.gate.verdict import Decision

State = Literal["there", "absent", "failed"]


@dataclass(frozen=True)
class CellEvidence:
    """All that is known of a cell that BASE or HEAD has.

    ``reason`` says in one sentence what failed. ``unchanged`` cells are the same on both sides, so
    nothing of them was measured. ``again`` is the second measurement of a suspect's speed.
    """

    cell: str
    base: State = "there"
    head: State = "there"
    reason: str = ""
    unchanged: bool = False
    speed: SpeedEvidence | None = None
    again: SpeedEvidence | None = None
    accuracy: AccuracyEvidence | None = None


def suspects(evidences: Sequence[SpeedEvidence], tolerances: Tolerances) -> tuple[str, ...]:
    """Cells to measure again: those whose first measurement looks slower."""
    raise NotImplementedError


def confirmed(evidences: Sequence[SpeedEvidence], tolerances: Tolerances) -> tuple[str, ...]:
    """Of the suspects, measured anew, those that are slower."""
    raise NotImplementedError


def decide(cells: Sequence[CellEvidence], tolerances: Tolerances) -> Decision:
    """The verdict of each cell, in the order of ``cells``."""
    raise NotImplementedError
