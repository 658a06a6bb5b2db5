"""``Entry``: what was found out about a candidate; ``Found``: about all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fqbench.artifacts import Artifact
from fqbench.best import front
from fqbench.best.candidates import Candidate
from fqbench.best.front import Budget, Figures
from fqbench.measure.stats import Interval
from fqbench.tune.choice import Choice
from fqbench.tune.tradeoff import Tradeoff

Status = Literal["waits", "runs", "same", "left", "failed"]
"""``waits``: it is not made yet. ``same``: its file is that of another candidate, which stands for
both. ``left``: it was not made, since it could not win."""


@dataclass(frozen=True)
class Entry:
    """What was found out about a candidate. None: not measured.

    ``why``: what ended its part, None where it came to the end: it failed, its file is that of
    another, or it cannot win. ``accuracy`` in points. ``pace``: see ``Figures``. ``to_float``: how
    many times as fast it is as the fastest float of any runtime, ``to_fp32`` as FP32 of its own.
    ``launches``: how often its process was started for its time; ``choice``: which
    layers are in float, and why, where they were chosen here.
    """

    candidate: Candidate
    artifact: Artifact | None = None
    size: float | None = None
    ms: Interval | None = None
    pace: Interval | None = None
    launches: int = 0
    accuracy: float | None = None
    drop: Interval | None = None
    to_float: Interval | None = None
    to_fp32: Interval | None = None
    choice: Choice | None = None
    took_fp32: bool = False
    status: Status = "waits"
    why: str | None = None

    @property
    def name(self) -> str:
        """That of the candidate."""
        return self.candidate.name

    @property
    def figures(self) -> Figures | None:
        """What is judged by; None where it was not timed."""
        if self.ms is None or self.pace is None or self.size is None:
            return None
        return Figures(self.name, self.ms, self.pace, self.size, self.drop)


@dataclass(frozen=True)
class Trade:
    """Layers traded for speed.

    ``base``: name of the candidate whose layers they are; ``tradeoff``: what was found out, None
    where it failed; ``tried``: names of its points that became candidates; ``why``: why not more
    did.
    """

    base: str
    tradeoff: Tradeoff | None
    tried: tuple[str, ...] = ()
    why: str | None = None


@dataclass(frozen=True)
class Found:
    """What ``find`` found, the entries in the order of their candidates.

    ``finalists``: names of those that were timed fully and may win; ``best_float``: the fastest
    float of any runtime; ``winner`` is inside of the budget; ``second`` is what is nearest to
    winning, ``nearest`` what is nearest to being inside where nothing is. ``seconds``: how long it
    took.
    """

    budget: Budget
    entries: tuple[Entry, ...]
    finalists: tuple[str, ...] = ()
    best_float: str | None = None
    winner: str | None = None
    second: str | None = None
    nearest: str | None = None
    trades: tuple[Trade, ...] = ()
    seconds: float | None = None

    def entry(self, name: str) -> Entry:
        """The entry of that name."""
        return next(each for each in self.entries if each.name == name)

    def trade_of(self, entry: Entry) -> Trade | None:
        """The tradeoff of the layers of ``entry``; None where none was measured."""
        return next((each for each in self.trades if entry.name in (each.base, *each.tried)), None)

    @property
    def front(self) -> tuple[str, ...]:
        """Names of those that no other dominates."""
        known = [
            each.figures
            for each in self.entries
            if each.figures is not None and each.status == "runs"
        ]
        return tuple(each.name for each in front.front(known))
