"""The self-test: which launches are replayed, and what it counts."""

import random

import pytest

from fqbench.errors import UsageError
from fqbench.gate.live.comparison import CellTimes, ComparisonSettings
from fqbench.gate.selftest.replay import Launch
from fqbench.gate.selftest.trial import Suite, judge, planned, pool_of
from fqbench.report.gate_selftest import interval, sentences
from tests.support.suites import CELLS, recorded, suites

SETTINGS = ComparisonSettings()
POOL = pool_of(suites())


def test_the_pool_is_in_the_order_of_measuring():
    assert [len(launches) for launches in POOL.values()] == [32] * 3
    first = suites()[0].timed["a"].first
    assert POOL["a"][0] == Launch(first.times["base"][0], first.times["head"][0], 1.5)


def test_slowed_cells_are_not_in_the_pool():
    whole = suites(2)
    slow = Suite(whole[1].timed, "b", 0.05)
    assert {cell: len(found) for cell, found in pool_of([whole[0], slow]).items()} == {
        "a": 16,
        "b": 8,
        "c": 16,
    }


def test_nothing_recorded_is_reported():
    with pytest.raises(UsageError, match="nothing was recorded of identical sides"):
        pool_of([])


def test_counts_are_of_suites():
    trial = judge(suites(), 12, SETTINGS, random.Random(0), lambda *_: None)
    assert trial.cells == CELLS
    assert [(c.slowdown, c.suites, c.called) for c in trial.real] == [(0.0, 4, 0)]
    assert [(c.slowdown, c.suites) for c in trial.replayed] == [
        (slowdown, 12) for slowdown in (0.0, 0.02, 0.05, 0.10)
    ]
    found = {c.slowdown: c.called for c in trial.replayed}
    assert (found[0.0], found[0.05], found[0.10]) == (0, 12, 12)
    assert set(trial.pytest_benchmark) == {"mean", "median", "min"}
    # Six pairs of four suites, whose noise is far below pytest-benchmark's 5 %.
    same, *_, slow = trial.pytest_benchmark["median"]
    assert (same.suites, same.called) == (6, 0)
    assert (slow.suites, slow.called) == (6, 6)
    assert len(sentences(trial)) == 4


def test_a_slowed_suite_counts_where_its_cell_is_called():
    noise = random.Random(3)
    slow = recorded(noise, head=0.011)
    timed = {"a": CellTimes(recorded(noise)), "b": CellTimes(slow, slow)}
    trial = judge(
        [*suites(1), Suite(timed, "b", 0.10)], 1, SETTINGS, random.Random(0), lambda *_: 0
    )
    assert [(c.slowdown, c.suites, c.called) for c in trial.real] == [(0.0, 1, 0), (0.10, 1, 1)]


def test_a_quarter_as_many_suites_are_slowed():
    assert planned(4) == [0.0, 0.0, 0.0, 0.0, 0.02, 0.05, 0.10]
    assert planned(5) == [*[0.0] * 5, 0.02, 0.02, 0.05, 0.05, 0.10, 0.10]


@pytest.mark.parametrize(
    ("called", "suites", "low", "high"),
    [(0, 200, 0.0, 0.01828), (200, 200, 0.98172, 1.0), (5, 10, 0.18709, 0.81291)],
)
def test_interval_of_a_share(called, suites, low, high):
    assert interval(called, suites) == pytest.approx((low, high), abs=1e-5)
