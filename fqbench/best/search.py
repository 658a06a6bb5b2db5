"""What is measured of the candidates, and in which order: most of the time goes to the best.

    floats ─► INT8 of each runtime that may win, the fastest in float first ─► layers traded
           ─► those that may win timed fully

Whatever is made is timed shortly at once, and scored if it may win, the fastest first. Only the
last choice, among finished files, is by images that are evaluated: all that shapes a file is by
calibration images.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from fqbench.best import front
from fqbench.best.candidates import Candidate
from fqbench.best.entry import Entry, Found, Trade
from fqbench.best.front import Budget
from fqbench.best.halving import DOUBT, beaten, hopeful
from fqbench.best.ledger import Ledger
from fqbench.best.making import make
from fqbench.best.paces import Paces
from fqbench.best.roof import beyond, most_gain
from fqbench.best.scoring import Scores
from fqbench.best.timing import Effort
from fqbench.best.trading import kept_layers, most_lost, why_not_traded, worth_making
from fqbench.errors import FqbenchError, StepError
from fqbench.pipeline import decisions
from fqbench.steps import Node
from fqbench.steps.executor import Executor
from fqbench.tasks.registry import metrics

EFFORT = Effort()


def planned(candidates: Sequence[Candidate]) -> list[Node]:
    """All that is made or evaluated at most; what cannot be planned is left out.

    Points of tradeoffs are not among them: which there are is found out meanwhile.
    """
    found: list[Node] = []
    for each in candidates:
        try:
            found += each.making
            if each.graph.spec.labelled:
                found.append(each.graph.score(each.cell))
            if each.trades:
                found.append(each.graph.tradeoff(each.cell.backend))
        except FqbenchError:
            continue
    return found


def find(
    candidates: Sequence[Candidate],
    budget: Budget,
    executor: Executor,
    threads: int = 1,
    effort: Effort | None = None,
) -> Found:
    """Make, time and evaluate ``candidates`` as far as each may win.

    One that fails fails alone. Raises StepError where none of them runs.
    """
    started = time.monotonic()
    found = _Search(candidates, budget, executor, threads, effort or EFFORT).found()
    return replace(found, seconds=time.monotonic() - started)


class _Search:
    """Holds what is known meanwhile."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        budget: Budget,
        executor: Executor,
        threads: int,
        effort: Effort,
    ) -> None:
        self._ledger = Ledger(candidates)
        self._budget, self._executor = budget, executor
        self._paces = Paces(self._ledger, executor, threads, effort)
        self._scores = Scores(self._ledger, executor)

    def found(self) -> Found:
        """The whole search."""
        self._begin([e.name for e in self._ledger.entries if e.candidate.is_float], roof=True)
        self._scores.evaluate_reference()
        for names in self._groups():
            self._begin(self._hopeful(names))
            self._scores.evaluate_hopeful(self._budget)
        if not self._ledger.figures():
            reasons = "; ".join(f"{e.name}: {e.why}" for e in self._ledger.entries)
            raise StepError(f"nothing runs here: {reasons}")
        trades = tuple(self._traded(base) for base in self._bases())
        return self._ended(tuple(trade for trade in trades if trade is not None))

    def _begin(self, names: Sequence[str], *, roof: bool = False) -> None:
        """Make ``names``, and time them shortly."""
        if not names:
            return
        make(self._ledger, names, self._executor)
        there = [name for name in names if self._ledger[name].status == "runs"]
        if not there:
            return
        self._paces.time_shortly(there, roof=roof)

    def _groups(self) -> list[list[str]]:
        """Names of what is not made yet by runtime, the fastest in float first: what is lowered
        here, then what methods make whole, which takes long and is seldom much faster."""
        groups: dict[tuple[str, str, bool], list[str]] = {}
        for entry in self._ledger.entries:
            if entry.status == "waits":
                cell = entry.candidate.cell
                key = (cell.backend, cell.device, entry.candidate.comes_whole)
                groups.setdefault(key, []).append(entry.name)
        return [
            groups[key]
            for key in sorted(groups, key=lambda key: (self._float_pace(*key[:2]), *key))
        ]

    def _float_pace(self, backend: str, device: str) -> float:
        name = self._ledger.own_fp32(backend, device)
        found = None if name is None else self._ledger[name].pace
        return float("inf") if found is None else found.value

    def _hopeful(self, names: Sequence[str]) -> Sequence[str]:
        """``names``, of one runtime, unless INT8 cannot make it as fast as what is inside."""
        cell = self._ledger[names[0]].candidate.cell
        own = self._ledger.own_fp32(cell.backend, cell.device)
        fp32 = None if own is None else self._ledger[own].figures
        gain = most_gain(self._paces.gain, self._gains(cell.backend))
        if fp32 is None or gain is None or cell.device != "cpu":
            return names
        first = beyond(fp32, gain, self._ledger.figures(), self._budget)
        if first is None:
            return names
        why = (
            f"not made: FP32 of its runtime takes {fp32.pace.value / first.pace.value:.1f} times as"
            f" long as {self._ledger[first.name].candidate.label}, and INT8 is not expected to make"
            f" it more than {gain:.1f} times as fast on this CPU"
        )
        for name in names:
            self._ledger.set(name, status="left", why=why)
        return ()

    def _gains(self, backend: str) -> list[float]:
        """How many times as fast as FP32 INT8 is on the CPU by now: of ``backend``, else of all."""
        found: dict[str, list[float]] = {}
        for entry in self._ledger.running:
            cell = entry.candidate.cell
            own = self._ledger.own_fp32(cell.backend, cell.device)
            fp32 = None if own is None else self._ledger[own].pace
            if entry.candidate.is_float or cell.device != "cpu":
                continue
            if fp32 is not None and entry.pace is not None:
                found.setdefault(cell.backend, []).append(fp32.value / entry.pace.value)
        return found.get(backend) or [gain for gains in found.values() for gain in gains]

    def _bases(self) -> list[Entry]:
        """Those whose layers can be traded, the fastest first."""
        found = [e for e in self._ledger.entries if e.candidate.trades and e.choice is not None]
        if self._scores.reference is None:
            return []
        return sorted(found, key=lambda e: float("inf") if e.pace is None else e.pace.value)

    def _traded(self, base: Entry) -> Trade | None:
        """What the layers of ``base`` cost and save, and its points: made, timed and scored."""
        candidate, choice = base.candidate, base.choice
        cell, best = candidate.cell, self._best()
        own = self._ledger.own_fp32(cell.backend, cell.device)
        name = own if base.took_fp32 else base.name
        figures = None if name is None else self._ledger[name].figures
        if figures is None or choice is None:
            return None
        lost = metrics()[candidate.graph.spec.metric].points_lost
        why = why_not_traded(base, figures, best, self._budget, lost(choice.error))
        if why is not None:
            return Trade(base.name, None, why=why)
        node = candidate.graph.tradeoff(cell.backend)
        try:
            tradeoff = decisions.tradeoff_of(self._executor.run([node]).artifact(node))
        except FqbenchError as error:
            return Trade(base.name, None, why=str(error))
        part = 1.0 if base.took_fp32 else tradeoff.base_slowdown
        numbers = worth_making(
            tradeoff.points,
            figures.pace.value / part,
            None if best is None else best.figures,
            self._budget,
            most_lost(figures, self._budget),
            lost,
        )
        tried = [
            replace(
                candidate,
                graph=candidate.graph.at_point(number),
                kept=kept_layers(tradeoff.points[number]),
            )
            for number in numbers
        ]
        self._ledger.add(tried)
        self._begin([each.name for each in tried])
        self._scores.evaluate_hopeful(self._budget)
        return Trade(base.name, tradeoff, tuple(each.name for each in tried))

    def _best(self) -> Entry | None:
        """What would win by now."""
        first = front.winner(self._ledger.figures(), self._budget)
        return None if first is None else self._ledger[first.name]

    def _ended(self, trades: tuple[Trade, ...]) -> Found:
        """Time those that may win fully, and name the winner."""
        ledger, budget = self._ledger, self._budget
        finalists = [each.name for each in hopeful(ledger.figures(), budget, DOUBT)]
        self._paces.time_fully(finalists)
        self._tell_beaten(finalists)
        best_float = ledger.fastest(lambda each: each.candidate.is_float)
        self._paces.compare(best_float)
        first = front.winner([f for f in ledger.figures() if f.name in finalists], budget)
        if first is not None:
            self._evaluate_winner(first.name)
        everything = ledger.figures()
        second = front.runner_up(everything, first, budget) if first is not None else None
        near = front.nearest(everything, budget) if first is None else None
        return Found(
            budget,
            ledger.entries,
            tuple(finalists),
            best_float,
            first.name if first is not None else None,
            second.name if second is not None else None,
            near.name if near is not None else None,
            trades,
        )

    def _evaluate_winner(self, name: str) -> None:
        """Another FP32 than the reference is not evaluated before it wins."""
        entry, reference_ = self._ledger[name], self._scores.reference
        if entry.accuracy is None and reference_ is not None and name != reference_:
            self._scores.evaluate(name)

    def _tell_beaten(self, finalists: Sequence[str]) -> None:
        """Say of the others why they were left."""
        others = beaten(self._ledger.figures(), self._budget, DOUBT)
        for name, by in others.items():
            if name not in finalists:
                self._ledger.set(name, why=f"slower than {self._ledger[by].candidate.label}")
