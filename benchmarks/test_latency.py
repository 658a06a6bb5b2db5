"""Latency of every cell: ``pytest benchmarks --benchmark-json=FILE``.

Inferences run and are timed in child processes, FP32 and INT8 in turns, so that a cell whose
native code crashes fails alone and ratios hold on a noisy machine. pytest-benchmark is given
the recorded times: its clock stands still but for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fqbench.cells import Cell
from fqbench.measure import stats
from fqbench.measure.launches import MeasurementBudget
from fqbench.measure.reference import kernel_of
from fqbench.measure.stats import Interval
from fqbench.measure.undisturbed import fastest_ratio
from fqbench.pipeline.timing import Timed
from fqbench.pytest_plugin.matrix import MatrixUnderTest


class Replay:
    """A clock that moves by recorded times: one with each call of ``advance``."""

    def __init__(self) -> None:
        self._now = 0.0
        self._times: list[float] = []

    def load(self, times: list[float]) -> None:
        self._times = times[::-1]

    def advance(self) -> None:
        self._now += self._times.pop()

    def __call__(self) -> float:
        return self._now


CLOCK = Replay()


@pytest.mark.benchmark(timer=CLOCK)
def test_latency(
    cell: Cell,
    matrix_under_test: MatrixUnderTest,
    timed: Callable[[Cell], Timed],
    benchmark: BenchmarkFixture,
) -> None:
    found = timed(cell)
    if cell in found.failures:
        pytest.fail(found.failures[cell])
    launches = found.cells[cell]
    times = [seconds for launch in launches for block in launch for seconds in block]
    CLOCK.load(times)
    benchmark.pedantic(CLOCK.advance, rounds=len(times), iterations=1)

    summary = stats.latency(launches)
    benchmark.extra_info.update(
        cell=cell.id,
        machine=matrix_under_test.machine,
        launches=len(launches),
        stopped=found.stopped,
        pinned=found.pinned,
        latency_ms={
            "p50": summary.p50.value,
            "p90": summary.p90,
            "p99": summary.p99,
            "ci95": [summary.p50.low, summary.p50.high],
        },
    )
    kernel = kernel_of(cell.precision)
    if kernel in found.reference and cell.device == "cpu":
        in_kernels = fastest_ratio(launches, found.reference[kernel])
        benchmark.extra_info["in_kernels"] = _described(in_kernels)
    fp32 = replace(cell, precision="fp32")
    if cell.precision == "int8" and fp32 in found.cells:
        ratio = stats.ratio(found.cells[fp32], launches)
        benchmark.extra_info["ratio"] = _described(ratio)
    assert len(launches) >= MeasurementBudget().fewest
    if not benchmark.disabled:
        told = benchmark.stats.stats
        assert told.rounds == summary.n
        in_ms = [1e3 * seconds for seconds in (told.min, told.median, told.mean)]
        assert in_ms == pytest.approx([summary.minimum, summary.p50.value, summary.mean])


def _described(interval: Interval) -> dict[str, object]:
    return {"value": interval.value, "ci95": [interval.low, interval.high]}
