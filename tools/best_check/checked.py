"""``Checked``: what became of one model and drop, and which goals it misses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fqbench.measure.stats import Interval

LONGEST = 600.0
SLOWEST = 1.03

COLUMNS = ("Model", "Drop", "Winner", "Fastest cell inside", "Time ratio", "95 %", "s", "")


@dataclass(frozen=True)
class Checked:
    """What became of one model and drop: None where there is no winner, or nothing inside.

    ``ratio``: time of the winner over that of the fastest cell. ``failure``: why the model failed,
    None where it did not. ``statuses``: how many candidates ended so; ``spent``: of the ``seconds``
    those that went into each kind of work; ``front``: what no other candidate dominates.
    """

    model: str
    drop: float | None
    seconds: float
    winner: str | None = None
    fastest: str | None = None
    ratio: Interval | None = None
    failure: str | None = None
    statuses: Mapping[str, int] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    front: tuple[str, ...] = ()

    @property
    def missed(self) -> list[str]:
        """The goals that are missed."""
        found = [] if self.failure is None else [f"failed: {self.failure}"]
        if (self.winner is None) != (self.fastest is None):
            found.append("one of them finds nothing")
        if self.ratio is not None and self.ratio.value > SLOWEST:
            found.append("slower")
        if self.seconds > LONGEST:
            found.append("too long")
        return found

    def line(self) -> tuple[str, ...]:
        """By ``COLUMNS``."""
        ratio = self.ratio
        return (
            self.model,
            "" if self.drop is None else f"{self.drop:g}",
            self.winner or "nothing",
            self.fastest or "nothing",
            "" if ratio is None else f"{ratio.value:.3f}",
            "" if ratio is None else f"{ratio.low:.3f} to {ratio.high:.3f}",
            f"{self.seconds:.0f}",
            ", ".join(self.missed) or "reached",
        )

    def details(self) -> Iterator[str]:
        """Lines about the search; none of a model that failed."""
        if self.failure is not None:
            return
        ended = ", ".join(f"{number} {status}" for status, number in self.statuses.items())
        yield f"{self.model}, drop {self.drop:g}: {sum(self.statuses.values())} candidates: {ended}"
        rest = self.seconds - sum(self.spent.values())
        spent = ", ".join(f"{seconds:.0f} s {kind}" for kind, seconds in self.spent.items())
        yield f"  of {self.seconds:.0f} s: {spent}, {rest:.0f} s anything else"
        for each in self.front:
            yield f"  on the front: {each}"
