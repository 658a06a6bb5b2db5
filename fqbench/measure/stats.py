"""Statistics of latencies: pure functions of recorded times.

A cell is timed in launches: each starts the processes again, then runs blocks of inferences in
rounds, one block of every side in each round. Single times resemble their neighbours, rounds share
the machine's drift, and what a start happens to get (memory, addresses) stays for the whole launch
and may move its times by a percent. Only launches are independent of each other, so intervals stand
on them: Kalibera, Jones, "Rigorous benchmarking in reasonable time", ISMM 2013.

Fewer than ``FEWEST_LAUNCHES`` say too little about starts. Batches of consecutive rounds then
stand for launches (batch means; ten batches: Schmeiser, "Batch size effects in the analysis of
simulation output", Operations Research 30, 1982). Such an interval holds for these very processes;
started again they may differ by more.

How many launches there are is found out while timing, which ends once the interval is narrow. So it
ends where the spread happened to look small, and Student's t from there covers 92 % instead of 95 %
(Anscombe, "Large-sample theory of sequential estimation", Proceedings of the Cambridge
Philosophical Society 48, 1952). Errors are therefore taken ``STOPPING`` times as large.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations_with_replacement, pairwise
from typing import TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from fqbench.jsonvalue import Json

Blocks = Sequence[Sequence[float]]
"""Times of one launch in seconds: rounds x times."""

Launches = Sequence[Blocks]
"""Times in seconds: launches x rounds x times."""

FEWEST_LAUNCHES = 3
BATCHES = 10
CONFIDENCE = 0.95

STOPPING = 1.15
"""How many times the standard error is taken to be what it looks like where timing ended: the least
with which intervals hold and p-values are true whatever the spread of launches, by simulation."""

_Round = TypeVar("_Round")


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, Json]:
        """As results and verdicts hold it."""
        return {"value": self.value, "ci95": [self.low, self.high]}


@dataclass(frozen=True)
class Latency:
    """Percentiles of latencies in milliseconds; ``p50`` with its confidence interval."""

    p50: Interval
    p90: float
    p99: float
    mean: float
    minimum: float
    n: int


def latency(launches: Launches) -> Latency:
    """Summarize times in seconds. Raises ValueError where there is none, or one is not > 0.

    The interval of the median is Woodruff's (JASA 47, 1952) for clusters, which are the launches:
    how far the share of times below the median varies between launches, turned into quantiles of
    all times. It ends at the middle of the fastest and of the slowest launch: where launches differ
    more than their times do, three of them cover 75 %, five 94 %, from six on 95 %. What drifts
    over several launches is not in it. A single round gives its smallest and largest time.
    """
    samples = [sample * 1e3 for sample in _samples(launches)]
    times = np.concatenate(samples)
    p90, p99 = np.percentile(times, (90, 99))
    return Latency(
        _median(samples),
        float(p90),
        float(p99),
        float(times.mean()),
        float(times.min()),
        int(times.size),
    )


def median(launches: Launches) -> Interval:
    """The median of values of any unit, with its interval. Raises and is as in ``latency``."""
    return _median(_samples(launches))


def ratio(reference: Launches, measured: Launches, confidence: float = CONFIDENCE) -> Interval:
    """How many times faster ``measured`` is than ``reference``: the ratio of typical times.

    Block ``i`` of both was timed in the same round, so that what slowed the machine in a round
    slows both sides of it. A round gives the logarithm of the ratio of its blocks' medians, a
    launch their Hodges-Lehmann location, which bursts hardly move; over the launches stand mean
    and Student's t. Where most rounds of a launch are in bursts, the interval is wider than it need
    be (98 % instead of 95 %). A single round gives the extreme ratios of its times. Raises
    ValueError as ``latency``, and where the numbers of launches or rounds differ.
    """
    found = _locations(reference, measured)
    if len(found) == 1:
        times, others = ([t for block in side[0] for t in block] for side in (reference, measured))
        return Interval(math.exp(found[0]), min(times) / max(others), max(times) / min(others))
    mean, error = _mean(found)
    reach = float(scipy.special.stdtrit(len(found) - 1, (1 + confidence) / 2)) * error
    return Interval(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))


def excess_p(reference: Launches, measured: Launches, tolerance: float) -> float:
    """How unlikely the times are if ``measured`` takes at most 1 + ``tolerance`` times as long.

    One-sided p-value (0 to 1) of Student's t over the launches, as in ``ratio``; 1 for a single
    round, which proves nothing. Raises ValueError as ``ratio``.
    """
    found = _locations(measured, reference)
    if len(found) == 1:
        return 1.0
    mean, error = _mean(found)
    excess = mean - math.log1p(tolerance)
    if error == 0:
        return 0.0 if excess > 0 else 1.0
    return float(scipy.special.stdtr(len(found) - 1, -excess / error))


def central(values: NDArray[np.float64]) -> tuple[float, float]:
    """The central 95 % of ``values``: its lower and upper end."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(values, (tail, 100 - tail))
    return float(low), float(high)


def hodges_lehmann(values: Sequence[float]) -> float:
    """Location of ``values``: the median of the means of all pairs, each with itself, too.

    Hodges, Lehmann, "Estimates of location based on rank tests", Annals of Mathematical
    Statistics 34, 1963. Almost as precise as the mean, and up to 29 % of the values may be off.
    """
    return statistics.median((a + b) / 2 for a, b in combinations_with_replacement(values, 2))


def _locations(reference: Launches, measured: Launches) -> list[float]:
    """The logarithm of the ratio of ``reference`` to ``measured`` in each launch or batch."""
    for side in (reference, measured):
        _check(side)
    if len(reference) != len(measured):
        raise ValueError(f"{len(reference)} launches against {len(measured)}")
    launches = []
    for blocks, others in zip(reference, measured, strict=True):
        if len(blocks) != len(others):
            raise ValueError(f"{len(blocks)} rounds against {len(others)}")
        launches.append(
            [
                math.log(statistics.median(block) / statistics.median(other))
                for block, other in zip(blocks, others, strict=True)
            ]
        )
    return [hodges_lehmann(rounds) for rounds in _independent(launches)]


def _independent(launches: Sequence[Sequence[_Round]]) -> list[Sequence[_Round]]:
    """What counts as independent: launches, or batches of rounds where there are too few."""
    if len(launches) >= FEWEST_LAUNCHES:
        return list(launches)
    return [batch for rounds in launches for batch in _batches(rounds)]


def _batches(rounds: Sequence[_Round]) -> list[Sequence[_Round]]:
    count = min(BATCHES, len(rounds))
    edges = [len(rounds) * i // count for i in range(count + 1)]
    return [rounds[start:end] for start, end in pairwise(edges)]


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """The mean of two values or more, and its standard error, times ``STOPPING``."""
    count, mean = len(values), statistics.fmean(values)
    variance = math.fsum((v - mean) ** 2 for v in values) / (count - 1)
    return mean, STOPPING * math.sqrt(variance / count)


def _samples(launches: Launches) -> list[NDArray[np.float64]]:
    """The values of what counts as independent."""
    _check(launches)
    return [
        np.fromiter(chain.from_iterable(blocks), np.float64) for blocks in _independent(launches)
    ]


def _median(samples: Sequence[NDArray[np.float64]]) -> Interval:
    values = np.concatenate(samples)
    middle = float(np.percentile(values, 50))
    low, high = np.quantile(values, _median_ranks(samples, middle))
    return Interval(middle, float(low), float(high))


def _median_ranks(samples: Sequence[NDArray[np.float64]], median: float) -> tuple[float, float]:
    """Between which quantiles (0 to 1) of all samples the true median is."""
    count = len(samples)
    if count == 1:
        return 0.0, 1.0
    weights = np.array([sample.size for sample in samples], np.float64)
    weights /= weights.sum()
    below = [(np.mean(x < median) + np.mean(x <= median)) / 2 for x in samples]
    spread = float(np.sum((weights * (np.array(below) - 0.5)) ** 2))
    error = STOPPING * math.sqrt(count / (count - 1) * spread)
    # The middle of the lowest sample, where samples do not overlap.
    farthest = 0.5 - 0.5 / count
    reach = min(float(scipy.special.stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * error, farthest)
    return 0.5 - reach, 0.5 + reach


def _check(launches: Launches) -> None:
    blocks = [block for launch in launches for block in launch]
    if not all(len(launch) for launch in launches) or not blocks or not all(map(len, blocks)):
        raise ValueError("no times were recorded")
    # A sum is finite where no time is infinite or NaN.
    if not (math.isfinite(sum(map(sum, blocks))) and min(map(min, blocks)) > 0):
        raise ValueError("a recorded time is not a positive number")
