"""How long forms of a model take, interleaved, and which is fastest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from fqbench.measure.latency import Call, TimingBudget, time_interleaved
from fqbench.measure.pinning import pinned

TIMING_BUDGET = TimingBudget(
    warm_up=0.05, settling=0.3, block=0.02, rounds=15, fewest=6, longest=0.6
)
"""Enough to distinguish 2 % from noise; far less than what a reported latency takes."""

Rounds = Sequence[float]
"""Milliseconds of one side, round by round of interleaved timing."""


def time_rounds(calls: Mapping[str, Call], threads: int) -> dict[str, Rounds]:
    """Median milliseconds of each of ``calls`` in each round, on ``threads`` cores."""
    with pinned(threads):
        timing = time_interleaved(calls, TIMING_BUDGET)
    return {
        name: tuple(1000 * median(block) for block in blocks)
        for name, blocks in timing.blocks.items()
    }


def is_faster(one: Rounds, other: Rounds, part: float) -> bool:
    """Whether ``one`` takes less than ``part`` of the time of ``other``, in three of four rounds.

    What slows the machine for a while slows both sides of a round, and a few rounds only.
    """
    ratios = sorted(a / b for a, b in zip(one, other, strict=True))
    return ratios[(3 * len(ratios)) // 4] < part
