"""Latency as MLPerf's single stream: one inference after another, each timed by itself.

Several models are timed in rounds: in each round every one runs a block of inferences, in
random order, so that what slows the machine for a while slows all of them alike.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True)
class Effort:
    """How much to measure. Times in seconds, for each model.

    Measuring ends after ``rounds`` rounds, or when ``longest`` is used up and ``fewest``
    rounds are done. A hundred rounds are a hundred inferences at least, so that even the
    slowest model's 99th percentile is more than a guess.
    """

    warm_up: float = 0.5
    warm_up_runs: int = 3
    block: float = 0.03
    rounds: int = 100
    fewest: int = 10
    longest: float = 12.0


@dataclass(frozen=True)
class Timing:
    """Times in seconds, by model, in blocks; block ``i`` of each was timed in round ``i``."""

    blocks: Mapping[str, tuple[tuple[float, ...], ...]]


def time_interleaved(
    calls: Mapping[str, Call],
    effort: Effort,
    *,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
    on_round: Callable[[int, int], None] = lambda done, total: None,
) -> Timing:
    """Time each of ``calls`` for as long as ``effort`` says."""
    lengths = {name: _block_length(call, effort, clock) for name, call in calls.items()}
    blocks: dict[str, list[tuple[float, ...]]] = {name: [] for name in calls}
    order = random.Random(seed)
    names = list(calls)
    deadline = clock() + effort.longest * len(calls)
    for done in range(effort.rounds):
        if done >= effort.fewest and clock() >= deadline:
            break
        order.shuffle(names)
        for name in names:
            blocks[name].append(_block(calls[name], lengths[name], clock))
        on_round(done + 1, effort.rounds)
    return Timing({name: tuple(times) for name, times in blocks.items()})


def _block_length(call: Call, effort: Effort, clock: Callable[[], float]) -> int:
    """Warm up, then return how many inferences fill one block; at least one."""
    start, runs, last = clock(), 0, 0.0
    while runs < effort.warm_up_runs or clock() - start < effort.warm_up:
        begin = clock()
        call()
        last = clock() - begin
        runs += 1
    return max(1, round(effort.block / last)) if last > 0 else 1


def _block(call: Call, length: int, clock: Callable[[], float]) -> tuple[float, ...]:
    times = []
    for _ in range(length):
        begin = clock()
        call()
        times.append(clock() - begin)
    return tuple(times)
