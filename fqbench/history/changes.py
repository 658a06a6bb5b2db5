"""Change points: after which runs a cell takes another time than before, and stays there.

``ruptures`` finds them (kernel change point detection, exact: Celisse, Marot, Pierre-Jean, Rigaill
2018, New efficient algorithms for multiple change-point detection with reproducing kernels). Its
penalty alone would promise nothing on times: they have heavy tails, two modes, and they drift.

- Values are replaced by the normal scores of their ranks (van der Waerden 1952), so that whatever
  the distribution of independent noise, false alarms are as rare.
- The penalty grows with the autocorrelation of what is left, by the factor by which that makes the
  variance of a mean larger.

``python -m tools.history_false_alarms`` counts both false alarms and what is found; docs/history.md
has its figures.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

MARGIN = 5.0
"""Of the penalty ``MARGIN`` + 2 ln n for n values; at 2 false alarms of values that drift were too
many, at 6 less was found."""

FEWEST = 3
"""Runs between two changes: one alone, or two, are outliers."""

MOST_LAGS = 10
"""Up to this distance in time values are taken to depend on each other."""

NEAR = 50
"""Values to either side that a change is placed by."""

MISSING = "ruptures is not installed, so no changes are marked (it needs Python 3.13 or older)"

Scores = NDArray[np.float64]


def can_find() -> bool:
    """Whether the library is here that finds changes."""
    return find_spec("ruptures") is not None


def find_changes(values: Sequence[float]) -> tuple[int, ...]:
    """Indices of the first value after each change, ascending; empty without the library.

    ``values``: any unit, finite, by time. Whether there is a change, only their order by size says.

    >>> find_changes([1.0, 1.01, 0.99, 1.02, 0.98, 1.0])
    ()
    """
    if len(values) < 2 * FEWEST or not can_find():
        return ()
    scores, least = normal_scores(values), MARGIN + 2 * math.log(len(values))
    penalty, found = least, _segmented(scores, least)
    while found:
        raised = least * inflation(scores, found)
        if raised <= penalty:
            return placed(values, found)
        penalty, found = raised, _segmented(scores, raised)
    return ()


def placed(values: Sequence[float], changes: Sequence[int]) -> tuple[int, ...]:
    """Changes where the values themselves put them: ranks say that there is one, less well where.

    Each splits what is between its neighbours, up to ``NEAR`` values to either side, so that the
    sum of absolute deviations from the medians of both parts is least.
    """
    found = [0]
    for change, after in pairwise((*changes, len(values))):
        start, end = max(found[-1], change - NEAR), min(after, change + NEAR)
        search = _library().Binseg(model="l1", min_size=FEWEST, jump=1)
        split, _ = search.fit(np.asarray(values[start:end])).predict(n_bkps=1)
        found.append(start + int(split))
    return tuple(found[1:])


def normal_scores(values: Sequence[float]) -> Scores:
    """Quantiles of the normal distribution at the values' ranks: (rank - 1/2) / n; ties share."""
    _, places, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    scores: Scores = scipy.special.ndtri((ranks[places] - 0.5) / len(values))
    return scores


def inflation(scores: Scores, changes: Sequence[int]) -> float:
    """By what factor autocorrelation makes the variance of a mean larger, 1 or more.

    Of what is left of the scores after the mean of each segment is taken off, with r(k) its
    autocorrelation at lag k: the largest of 1 + 2 (r(1) + ... + r(k)) up to ``MOST_LAGS`` or a
    sixth of the values, and (1 + r(1)) / (1 - r(1)), which is that of a first-order autoregression
    (Priestley 1981, Spectral Analysis and Time Series, 5.3.2).
    """
    left = np.concatenate([part - part.mean() for part in np.split(scores, changes)])
    whole = float(left @ left)
    if whole == 0:
        return 1.0
    lags = range(1, 1 + max(1, min(MOST_LAGS, len(scores) // 6)))
    r = np.array([float(left[lag:] @ left[:-lag]) / whole for lag in lags])
    first = min(r[0], 0.99)
    return float(max(1.0, (1 + first) / (1 - first), *(1 + 2 * np.cumsum(r))))


def _segmented(scores: Scores, penalty: float) -> tuple[int, ...]:
    search = _library().KernelCPD(kernel="linear", min_size=FEWEST)
    *changes, _ = search.fit(scores.reshape(-1, 1)).predict(pen=penalty)
    return tuple(map(int, changes))


@cache
def _library() -> Any:
    return importlib.import_module("ruptures")
