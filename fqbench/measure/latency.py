"""Latency as MLPerf's single stream: one inference after another, each timed by itself.

What is timed takes turns: in each round every side runs a block of inferences, in random order,
so that what slows the machine for a while slows all of them alike.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Protocol

Call = Callable[[], object]
Clock = Callable[[], float]
Block = tuple[float, ...]
"""Seconds of inferences in a row."""

FASTER = 0.98
"""While a window of the warm-up takes less than this part of the fastest before, times fall."""


@dataclass(frozen=True)
class TimingBudget:
    """How much to measure. Times in seconds, for each side.

    The warm-up takes ``warm_up`` and ``warm_up_runs`` at least, goes on until times settle, and
    ends when ``settling`` is used up. Measuring ends after ``rounds`` rounds, or when ``longest``
    is used up and ``fewest`` rounds are done. A hundred rounds are a hundred inferences at least,
    so that even the slowest model's 99th percentile is more than a guess.
    """

    warm_up: float = 0.5
    warm_up_runs: int = 3
    settling: float = 3.0
    block: float = 0.03
    rounds: int = 100
    fewest: int = 10
    longest: float = 12.0


@dataclass(frozen=True)
class Timing:
    """Times in seconds, by side, in blocks; block ``i`` of each was timed in round ``i``."""

    blocks: Mapping[str, tuple[Block, ...]]


class Side(Protocol):
    """Something that is timed, in this process or in another."""

    def warm_up(self, budget: TimingBudget) -> int:
        """Run until times settle; return how many inferences fill a block then."""
        ...

    def block(self, runs: int) -> Block:
        """Seconds of each of ``runs`` inferences in a row."""
        ...


@dataclass(frozen=True)
class Stopwatch:
    """Times a call of this process."""

    call: Call
    clock: Clock = time.perf_counter

    def warm_up(self, budget: TimingBudget) -> int:
        """See ``Side.warm_up``."""
        start, runs, fastest = self.clock(), 0, float("inf")
        while True:
            window = self._window(budget)
            runs += len(window)
            last, elapsed = median(window), self.clock() - start
            falling = last < FASTER * fastest and elapsed < max(budget.settling, budget.warm_up)
            if runs >= budget.warm_up_runs and elapsed >= budget.warm_up and not falling:
                return max(1, round(budget.block / last)) if last > 0 else 1
            fastest = min(fastest, last)

    def _window(self, budget: TimingBudget) -> Block:
        """Inferences for about the time of a block."""
        start = self.clock()
        times = self.block(1)
        while 0 < times[-1] <= budget.block - (self.clock() - start):
            times += self.block(1)
        return times

    def block(self, runs: int) -> Block:
        """See ``Side.block``."""
        clock, call = self.clock, self.call
        times = []
        for _ in range(runs):
            begin = clock()
            call()
            times.append(clock() - begin)
        return tuple(times)


def take_turns(
    sides: Mapping[str, Side],
    budget: TimingBudget,
    order: random.Random,
    *,
    clock: Clock = time.perf_counter,
    on_round: Callable[[int, int], None] = lambda done, total: None,
) -> Timing:
    """Warm up each of ``sides``, then time them round by round, as long as ``budget`` says."""
    names = list(sides)
    lengths = {name: sides[name].warm_up(budget) for name in names}
    blocks: dict[str, list[Block]] = {name: [] for name in names}
    deadline = clock() + budget.longest * len(sides)
    for done in range(budget.rounds):
        if done >= budget.fewest and clock() >= deadline:
            break
        order.shuffle(names)
        for name in names:
            blocks[name].append(sides[name].block(lengths[name]))
        on_round(done + 1, budget.rounds)
    return Timing({name: tuple(times) for name, times in blocks.items()})


def time_interleaved(
    calls: Mapping[str, Call],
    budget: TimingBudget,
    *,
    seed: int = 0,
    clock: Clock = time.perf_counter,
    on_round: Callable[[int, int], None] = lambda done, total: None,
) -> Timing:
    """Time ``calls`` of this process, interleaved."""
    sides = {name: Stopwatch(call, clock) for name, call in calls.items()}
    return take_turns(sides, budget, random.Random(seed), clock=clock, on_round=on_round)
