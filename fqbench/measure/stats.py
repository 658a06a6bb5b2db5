"""Statistics of latencies: pure functions of recorded times.

Times come in blocks, runs of inferences in a row. Neighbours resemble each other on a machine
that others use too, so confidence intervals resample whole blocks, not single times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Blocks = Sequence[Sequence[float]]

RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Latency:
    """Percentiles of latencies in milliseconds; ``p50`` with its confidence interval."""

    p50: Interval
    p90: float
    p99: float
    mean: float
    minimum: float
    n: int


def latency(blocks: Blocks, seed: int = 0) -> Latency:
    """Summarize times in seconds. Raises ValueError where there is none, or one is not > 0."""
    times = _checked(blocks)
    p50, p90, p99 = np.percentile(times, (50, 90, 99)) * 1e3
    medians = _resampled_medians(blocks, _draws(len(blocks), seed)) * 1e3
    low, high = central(medians)
    return Latency(
        Interval(float(p50), low, high),
        float(p90),
        float(p99),
        float(times.mean() * 1e3),
        float(times.min() * 1e3),
        int(times.size),
    )


def ratio(reference: Blocks, measured: Blocks, seed: int = 0) -> Interval:
    """How many times faster ``measured`` is than ``reference``: the ratio of their medians.

    Block ``i`` of both was timed in the same round, so rounds are resampled together and what
    slowed the machine in a round slows both sides of it. Raises ValueError as ``latency``, and
    where the numbers of rounds differ.
    """
    if len(reference) != len(measured):
        raise ValueError(f"{len(reference)} rounds against {len(measured)}")
    value = np.median(_checked(reference)) / np.median(_checked(measured))
    draws = _draws(len(reference), seed)
    low, high = central(_resampled_medians(reference, draws) / _resampled_medians(measured, draws))
    return Interval(float(value), low, high)


def _checked(blocks: Blocks) -> NDArray[np.float64]:
    if not blocks or not all(len(block) for block in blocks):
        raise ValueError("no times were recorded")
    times = np.concatenate([np.asarray(b, dtype=np.float64) for b in blocks])
    if not bool(np.all(times > 0)) or not bool(np.all(np.isfinite(times))):
        raise ValueError("a recorded time is not a positive number")
    return times


def _draws(count: int, seed: int) -> NDArray[np.int64]:
    """Indices [resamples, count] of blocks drawn with replacement."""
    return np.random.default_rng(seed).integers(0, count, size=(RESAMPLES, count))


def _resampled_medians(blocks: Blocks, draws: NDArray[np.int64]) -> NDArray[np.float64]:
    arrays = [np.asarray(b, dtype=np.float64) for b in blocks]
    return np.array([np.median(np.concatenate([arrays[i] for i in draw])) for draw in draws])


def central(values: NDArray[np.float64]) -> tuple[float, float]:
    """The central 95 % of ``values``: its lower and upper end."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(values, (tail, 100 - tail))
    return float(low), float(high)
