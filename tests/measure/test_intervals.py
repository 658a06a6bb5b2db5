"""Intervals cover the truth as often as they say, on simulated machines.

Here the number of launches is fixed, so they cover it a little more often: ``test_stopping.py``
ends where a measurement would.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.measure.stats import excess_p, latency, ratio
from tests.support.noise import Noise

TRIALS = 2000
"""The covered share of so many varies by 0.5 % (one standard deviation)."""

USUAL = Noise()
QUIET = Noise(drift=0, bursts=0, spikes=0, launch=0)
ONE_START = replace(USUAL, launch=0)
ROUGH = replace(USUAL, bursts=0.1, burst_rounds=8, burst_cost=1.5)


def covered(
    noise: Noise, truth: float, launches: int = 5, rounds: int = 10, trials: int = TRIALS
) -> float:
    """The share of trials in which the interval of a ratio holds the true one."""
    sides = noise.times(np.random.default_rng(0), (truth, 1.0), (trials, launches, rounds, 3))
    found = [ratio(*pair) for pair in zip(*sides.tolist(), strict=True)]
    return float(np.mean([interval.low <= truth <= interval.high for interval in found]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "truth", "launches"),
    [
        pytest.param(USUAL, 1.0, 5, id="identical sides"),
        pytest.param(USUAL, 2.5, 10, id="one side is faster"),
        pytest.param(QUIET, 1.0, 5, id="nothing but the spread of single times"),
        pytest.param(replace(QUIET, launch=0.01, spread=0.002), 1.05, 3, id="starts differ most"),
        pytest.param(replace(USUAL, launch_df=3), 1.05, 5, id="a start may be far off"),
        pytest.param(replace(USUAL, memory=1, drift=0.03), 1.05, 5, id="the machine drifts away"),
        pytest.param(replace(USUAL, burst_rounds=10), 1.05, 5, id="bursts as long as a launch"),
    ],
)
def test_ratio_is_covered_as_often_as_stated(noise: Noise, truth: float, launches: int) -> None:
    assert 0.93 <= covered(noise, truth, launches) <= 0.985


@pytest.mark.slow
@settings(deadline=None, max_examples=4, derandomize=True)
@given(
    st.builds(
        Noise,
        drift=st.floats(0, 0.05),
        memory=st.floats(0, 1),
        bursts=st.floats(0, 0.1),
        burst_rounds=st.floats(1, 10),
        burst_cost=st.floats(0, 0.5),
        spread=st.floats(0.001, 0.1),
        spikes=st.floats(0, 0.05),
        launch=st.floats(0.005, 0.1),
    ),
    st.floats(0.2, 5),
)
def test_ratio_is_covered_whatever_the_machine(noise: Noise, truth: float) -> None:
    assert covered(noise, truth) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "launches", "rounds"),
    [
        pytest.param(ROUGH, 5, 10, id="half of the rounds in bursts"),
        pytest.param(replace(USUAL, spikes=0.2, launch=0), 5, 10, id="many times far off"),
        pytest.param(ONE_START, 1, 10, id="one launch, batches of one round"),
        pytest.param(ONE_START, 1, 60, id="one launch, batches of six rounds"),
        pytest.param(ONE_START, 2, 15, id="two launches"),
    ],
)
def test_ratio_is_covered_at_least_as_often_as_stated(
    noise: Noise, launches: int, rounds: int
) -> None:
    """Student's t is wider than it need be where few locations have heavy tails."""
    assert covered(noise, 1.05, launches, rounds, trials=1000) >= 0.935


def test_one_launch_knows_nothing_of_other_starts() -> None:
    assert covered(replace(USUAL, launch=0.03), 1.0, 1, 60, trials=300) < 0.6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "launches"),
    [
        pytest.param(USUAL, 5, id="usual"),
        pytest.param(USUAL, 10, id="more launches"),
        pytest.param(QUIET, 5, id="nothing but the spread of single times"),
        pytest.param(replace(USUAL, burst_cost=2.0), 10, id="costly bursts"),
        pytest.param(replace(USUAL, launch=0.03, drift=0), 10, id="starts differ most"),
    ],
)
def test_median_is_covered_as_often_as_stated(noise: Noise, launches: int) -> None:
    many = noise.times(np.random.default_rng(1), (1.0,), (1, 20_000, 10, 3))
    truth = 1e3 * float(np.median(many))
    (times,) = noise.times(np.random.default_rng(0), (1.0,), (TRIALS, launches, 10, 3))
    found = [latency(trial).p50 for trial in times.tolist()]
    share = np.mean([interval.low <= truth <= interval.high for interval in found])
    assert 0.93 <= share <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [0.0, 0.02])
def test_p_value_is_below_a_level_no_more_often_than_the_level_says(tolerance: float) -> None:
    sides = USUAL.times(np.random.default_rng(0), (1.0, 1 + tolerance), (TRIALS, 5, 10, 3))
    found = np.array([excess_p(*pair, tolerance) for pair in zip(*sides.tolist(), strict=True)])
    for level in (0.01, 0.05, 0.5):
        deviation = (level * (1 - level) / TRIALS) ** 0.5
        assert 0.2 * level <= np.mean(found <= level) < level + 3 * deviation
