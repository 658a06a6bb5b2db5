"""The gate's decision repeated on recorded times: pure functions.

Launches of identical versions are drawn again, in the order they were measured in, from a random
place on; times of one cell may be made longer. Everything behind the recording is as when it is
measured: when it stops, what is measured again, how it is judged.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fqbench.gate.contest import Terms
from fqbench.gate.decision import CellEvidence, decide, suspects
from fqbench.gate.evidence import SpeedEvidence
from fqbench.gate.verdict import Decision
from fqbench.measure.launches import narrow
from fqbench.measure.stats import Blocks, Launches


@dataclass(frozen=True)
class Launch:
    """One launch of a cell: times of both sides, and how many seconds it took in all."""

    base: Blocks
    head: Blocks
    seconds: float


Pool = Mapping[str, Sequence[Launch]]
"""Launches of each cell with identical sides, in the order they were measured in."""


@dataclass(frozen=True)
class Outcome:
    """A decision, and the seconds that the measurements of each cell took."""

    decision: Decision
    seconds: Mapping[str, float]

    def called_slower(self) -> tuple[str, ...]:
        """The cells that it called slower."""
        return tuple(v.cell for v in self.decision.verdicts if v.status == "slower")


def replay(
    pool: Pool, terms: Terms, order: random.Random, slowdowns: Mapping[str, float] | None = None
) -> Outcome:
    """Measure, suspect, measure again and decide, on launches drawn from ``pool``.

    ``slowdowns``: by what part HEAD's times of cells are made longer.
    """
    slow = slowdowns or {}
    drawn = {cell: _drawn(launches, slow.get(cell, 0.0), order) for cell, launches in pool.items()}
    first = {cell: _measured(cell, launches, terms) for cell, launches in drawn.items()}
    seconds = {cell: spent for cell, (_, spent) in first.items()}
    speeds = {cell: speed for cell, (speed, _) in first.items()}
    again = {}
    for cell in suspects([*speeds.values()], terms.tolerances):
        again[cell], more = _measured(cell, drawn[cell], terms)
        seconds[cell] += more
    evidences = [
        CellEvidence(cell, speed=speed, again=again.get(cell)) for cell, speed in speeds.items()
    ]
    return Outcome(decide(evidences, terms.tolerances), seconds)


def _drawn(launches: Sequence[Launch], slowdown: float, order: random.Random) -> Iterator[Launch]:
    """Launches from a random place on, around and around; sides swapped or not, at random."""
    start, swapped = order.randrange(len(launches)), order.random() < 0.5
    while True:
        launch = launches[start % len(launches)]
        sides = (launch.head, launch.base) if swapped else (launch.base, launch.head)
        yield Launch(sides[0], longer(sides[1], slowdown), launch.seconds)
        start += 1


def longer(blocks: Blocks, slowdown: float) -> Blocks:
    """Every time longer by the part ``slowdown`` of itself."""
    return tuple(tuple(t * (1 + slowdown) for t in block) for block in blocks)


def _measured(cell: str, launches: Iterator[Launch], terms: Terms) -> tuple[SpeedEvidence, float]:
    """The speed of a cell by as many launches as a measurement takes, and its seconds."""
    patience, taken, spent = terms.patience, list[Launch](), 0.0
    for launch in launches:
        taken.append(launch)
        spent += launch.seconds
        if len(taken) < patience.fewest:
            continue
        sides: list[Launches] = [[each.base for each in taken], [each.head for each in taken]]
        used_up = spent + launch.seconds > patience.longest or len(taken) == patience.most
        if used_up or narrow(sides):
            break
    return SpeedEvidence(cell, [e.base for e in taken], [e.head for e in taken]), spent
