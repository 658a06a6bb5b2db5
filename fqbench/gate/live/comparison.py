"""Two versions on one machine at one time: every cell of both timed in turns, then judged."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fqbench.gate import figures
from fqbench.gate.account import Account
from fqbench.gate.built import Built
from fqbench.gate.certainty import cells as counted
from fqbench.gate.certainty import machines, percent, worse
from fqbench.gate.decision import CellEvidence, State, decide, suspects
from fqbench.gate.evidence import SpeedEvidence, Tolerances
from fqbench.gate.verdict import Decision
from fqbench.measure import reference
from fqbench.measure.latency import Effort
from fqbench.measure.launches import (
    NARROW,
    Patience,
    Process,
    Recorded,
    how_often,
    kernels,
    narrow,
    record,
)
from fqbench.pipeline.step import Progress

BASE, HEAD = "base", "head"

Pair = tuple[Process, Process]
"""What times a cell of BASE, and of HEAD."""

EFFORT = Effort(warm_up=0.1, block=0.02, rounds=20, fewest=2, longest=0.8)
"""Of one launch: starting processes takes longer than timing them, so more of it would not help."""


@dataclass(frozen=True)
class Terms:
    """How versions are compared.

    ``seconds``: for timing a cell, measured again or not. Fewest launches are made all the same.
    """

    tolerances: Tolerances = field(default_factory=Tolerances)
    seconds: float = 60.0
    threads: int = 1

    @property
    def patience(self) -> Patience:
        """Of one measurement: half of the time, so that a second one is as good."""
        return Patience(fewest=6, most=40, longest=self.seconds / 2, effort=EFFORT)


@dataclass(frozen=True)
class Timed:
    """The measurements of a cell: ``again`` is there where the first left a doubt."""

    first: Recorded
    again: Recorded | None = None

    @property
    def all(self) -> tuple[Recorded, ...]:
        """One or two."""
        return (self.first,) if self.again is None else (self.first, self.again)


def compete(base: Built, head: Built, terms: Terms, progress: Progress) -> Account:
    """Time what may differ, once more what does not show to be the same, and judge every cell."""
    cells = [_facts(base, head, cell) for cell in dict.fromkeys(_names(head, base))]
    pairs = {
        facts.cell: (base.processes[facts.cell], head.processes[facts.cell])
        for facts in cells
        if facts.base == facts.head == "there" and not facts.unchanged
    }
    timed = time_pairs(pairs, terms, random.Random(), progress)
    decision = decide(
        [with_times(each, timed[each.cell]) if each.cell in timed else each for each in cells],
        terms.tolerances,
    )
    return Account(
        base.label,
        head.label,
        decision,
        cautions=tuple(_forms(base, head, decision)),
        certainty=(worse(terms.tolerances), *_certainty(list(timed.values()))),
        machine=machines(base.stored, head.stored),
    )


def time_pairs(
    pairs: Mapping[str, Pair],
    terms: Terms,
    order: random.Random,
    progress: Progress = lambda text, done, total: None,
) -> dict[str, Timed]:
    """Time both sides of each cell in turns, once more what does not show to be the same."""
    found = {}
    for number, (cell, pair) in enumerate(pairs.items()):
        progress(f"time {cell}", number, len(pairs))
        found[cell] = Timed(_recorded(pair, terms, order))
    speeds = [speed for cell, each in found.items() if (speed := _speed(cell, each.first))]
    doubted = suspects(speeds, terms.tolerances)
    for number, cell in enumerate(doubted):
        progress(f"time {cell} again", number, len(doubted))
        found[cell] = replace(found[cell], again=_recorded(pairs[cell], terms, order))
    return found


def with_times(facts: CellEvidence, timed: Timed) -> CellEvidence:
    """What is known of a cell, its times with it. A side whose process failed, failed."""
    failures = {side: why for each in timed.all for side, why in each.failures.items()}
    failed = [side for side in (BASE, HEAD) if side in failures]
    return replace(
        facts,
        base="failed" if BASE in failed else "there",
        head="failed" if HEAD in failed else "there",
        reason="; ".join(failures[side] for side in failed),
        speed=_speed(facts.cell, timed.first),
        again=_speed(facts.cell, timed.again) if timed.again is not None else None,
    )


def _recorded(pair: Pair, terms: Terms, order: random.Random) -> Recorded:
    sides = [
        replace(
            process,
            name=f"{process.name} of {side.upper()}",
            sides=(side,),
            arguments={**process.arguments, "side": side},
        )
        for side, process in zip((BASE, HEAD), pair, strict=True)
    ]
    return record(
        [*sides, kernels(terms.threads)],
        terms.patience,
        lambda times: narrow([times[side] for side in (BASE, HEAD) if side in times]),
        order=order,
    )


def _speed(cell: str, recorded: Recorded) -> SpeedEvidence | None:
    if not {BASE, HEAD} <= recorded.times.keys():
        return None
    return SpeedEvidence(cell, recorded.times[BASE], recorded.times[HEAD])


def _names(*sides: Built) -> Iterator[str]:
    for side in sides:
        for run in side.stored.runs:
            yield from (row.cell for row in run.rows)


def _facts(base: Built, head: Built, cell: str) -> CellEvidence:
    """What both sides tell of a cell, but for its speed."""
    rows = [figures.row(side.stored, cell) for side in (base, head)]
    return CellEvidence(
        cell,
        _state(base, cell),
        _state(head, cell),
        "; ".join(row.reason for row in rows if row and row.status == "failed" and row.reason),
        _unchanged(base, head, cell),
        accuracy=figures.accuracy(base.stored, head.stored, cell),
        left_margin=figures.left_margin(base.stored, head.stored, cell),
    )


def _state(side: Built, cell: str) -> State:
    row = figures.row(side.stored, cell)
    if row is None or row.status in ("unsupported", "skipped"):
        return "absent"
    return "there" if row.status == "ok" and cell in side.processes else "failed"


def _unchanged(base: Built, head: Built, cell: str) -> bool:
    """Whether the same code gives the same files and inputs to the same runtime."""
    ours, theirs = (side.processes.get(cell) for side in (base, head))
    return (
        ours is not None
        and theirs is not None
        and base.code == head.code
        and ours.interpreter.executable == theirs.interpreter.executable
        and base.stored.machine.versions == head.stored.machine.versions
        and figures.same_files(base.stored, head.stored, cell)
        and _fed(ours) == _fed(theirs)
    )


def _fed(process: Process) -> dict[str, object]:
    """How a process makes a cell's input, wherever its files are."""
    cell = process.arguments.get("cell", {})
    return {name: cell.get(name) for name in ("preprocess", "inputs", "backend", "precision")}


def _forms(base: Built, head: Built, decision: Decision) -> Iterator[str]:
    """Of cells that are slower, those whose INT8 model is another one."""
    for cell in (verdict.cell for verdict in decision.verdicts if verdict.status == "slower"):
        row = figures.row(head.stored, cell)
        is_int8 = row is not None and row.precision == "int8"
        if is_int8 and not figures.same_files(base.stored, head.stored, cell):
            yield (
                f"{cell}: the versions made different INT8 models. Which form is fastest is found"
                " out by timing, once for each version's code; where two forms are nearly as fast,"
                " chance decides between them."
            )


def _certainty(timed: Sequence[Timed]) -> Iterable[str]:
    recorded = [each for times in timed for each in times.all]
    if not recorded:
        return
    launches = how_often([len(each.seconds) for each in recorded])
    bound = "bound to one core" if all(each.pinned for each in recorded) else "not bound to a core"
    hurried = sum(each.stopped == "time" for each in recorded)
    ended = f"known to {percent(NARROW)} to either side"
    if hurried:
        ended += f", or the time was used up, as in {hurried} of {len(recorded)} measurements"
    yield (
        "Both versions were timed in turns, block by block in random order, in processes started"
        f" anew {launches} times a measurement, {bound}. Measuring ended when"
        f" the change was {ended}."
    )
    doubted = sum(each.again is not None for each in timed)
    if doubted:
        verb = "was" if doubted == 1 else "were"
        yield (
            f"{counted(doubted)} did not show to be the same and {verb} measured again from the"
            " start; the second measurement alone decides."
        )
    speed = reference.speed([each.times for each in recorded])
    if speed is not None:
        yield (
            f"Meanwhile the slow moments of a fixed float32 product took {percent(speed.spread)}"
            " longer than its fast ones."
        )
