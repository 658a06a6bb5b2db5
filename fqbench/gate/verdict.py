"""What the gate says: of each cell, and of all together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fqbench.measure.stats import Interval

Status = Literal[
    "same",
    "slower",
    "faster",
    "less accurate",
    "unclear",
    "new",
    "missing",
    "failed",
    "unchanged",
]

COMPARED: tuple[Status, ...] = ("same", "slower", "faster", "less accurate", "unchanged")


@dataclass(frozen=True)
class Verdict:
    """The gate's answer for one cell.

    ``base_ms`` and ``head_ms`` are medians, ``slowdown`` how many times as long HEAD takes and
    ``loss`` how many points of accuracy it lost, each None where it was not measured. They are of
    the last measurement, of ``launches`` launches; ``again`` tells that there was an earlier one.
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
