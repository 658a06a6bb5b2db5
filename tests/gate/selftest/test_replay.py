"""Recorded times judged again, by the gate and by pytest-benchmark."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.gate.live.comparison import ComparisonSettings
from fqbench.gate.selftest.replay import (
    FIELDS,
    Launch,
    failures,
    longer,
    replay,
    slowed_summary,
    summary,
)
from fqbench.gate.selftest.trial import pool_of
from tests.support.suites import side, suites

SETTINGS = ComparisonSettings()
POOL = pool_of(suites())


@pytest.mark.parametrize(("slowdown", "called"), [(0.0, ()), (0.05, ("b",)), (0.10, ("b",))])
def test_a_replayed_suite_is_judged_as_a_measured_one(slowdown, called):
    for seed in range(10):
        outcome = replay(POOL, SETTINGS, random.Random(seed), {"b": slowdown})
        assert outcome.called_slower() == called
        assert [v.status for v in outcome.decision.verdicts if v.cell != "b"] == ["same"] * 2


def test_seconds_of_a_suspect_are_those_of_both_measurements():
    outcome = replay(POOL, SETTINGS, random.Random(0), {"b": 0.10})
    assert outcome.seconds == {"a": 9.0, "b": 18.0, "c": 9.0}


def test_time_that_is_used_up_ends_a_replayed_measurement():
    noise = random.Random(2)
    rough = {"a": [Launch(side(noise), side(noise, noise.choice([0.008, 0.012])), 4.0)] * 1}
    outcome = replay(rough, ComparisonSettings(seconds=60), random.Random(0))
    assert outcome.seconds["a"] <= 60


@given(st.floats(0, 1), st.lists(st.floats(1e-6, 10), min_size=1, max_size=5))
def test_longer_is_longer_by_its_part(slowdown, times):
    (found,) = longer([times], slowdown)
    assert found == pytest.approx([t * (1 + slowdown) for t in times])


# pytest-benchmark's own check


def run(**medians):
    return summary({cell: [[[m, m, m]]] for cell, m in medians.items()})


@pytest.mark.parametrize("field", FIELDS)
def test_pytest_benchmark_fails_what_is_more_than_five_percent_slower(field):
    base, head = run(a=1.0, b=1.0), run(a=1.04, b=1.06)
    assert failures(base, head, field) == ("b",)
    assert failures(base, slowed_summary(head, "a", 0.02), field) == ("a", "b")


def test_fields_are_those_of_the_times():
    assert summary({"a": [[[1.0, 2.0], [6.0]]]})["a"] == {"mean": 3.0, "median": 2.0, "min": 1.0}
