"""Tests of many hypotheses at once: a pure function of p-values."""

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
