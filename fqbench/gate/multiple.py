"""Tests of many hypotheses at once: pure functions of p-values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Which hypotheses are rejected; the chance that any true one is stays at most ``alpha``.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979. Whatever the p-values (0 to 1) have to do with each other.
    """
    rejected = [False] * len(p_values)
    for place, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] > alpha / (len(p_values) - place):
            break
        rejected[index] = True
    return tuple(rejected)


def benjamini_hochberg(p_values: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Which hypotheses are rejected; of those, a share of at most ``alpha`` is true on average.

    Benjamini, Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical
    Society B 57, 1995; for independent p-values (0 to 1).
    """
    count, order = len(p_values), np.argsort(p_values, kind="stable")
    within = [p_values[i] <= alpha * (rank + 1) / count for rank, i in enumerate(order)]
    last = max((rank for rank, small in enumerate(within) if small), default=-1)
    rejected = set(order[: last + 1].tolist())
    return tuple(i in rejected for i in range(count))
