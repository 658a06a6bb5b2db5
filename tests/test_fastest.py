"""The fastest rounds, in units of a reference: literal numbers."""

import math

import numpy as np
import pytest

from fqbench.measure.fastest import fastest_ratio


def test_ratio_of_undisturbed_times():
    found = fastest_ratio([[[0.004, 0.005]] * 3] * 5, [[[0.002, 0.003]] * 3] * 5)
    assert found.value == pytest.approx(2.0)
    assert (found.low, found.high) == (pytest.approx(2.0), pytest.approx(2.0))


def test_tenth_of_the_rounds_decides():
    """Of 11 rounds, the second fastest stands at 10 %; of each round, its shortest time."""
    times = [[[float(second), 100.0] for second in range(1, 12)]]
    assert fastest_ratio(times, [[[1.0]] * 11]).value == pytest.approx(2.0)


def test_what_disturbs_four_of_five_rounds_does_not_count():
    random = np.random.default_rng(0)
    calm = [[[0.002]] * 20 for _ in range(8)]
    disturbed = [
        [[0.002 * (1 + (random.random() < 0.8) * random.random())] for _ in range(20)]
        for _ in range(8)
    ]
    assert fastest_ratio(disturbed, calm).value == pytest.approx(1.0, abs=0.01)


def test_launches_that_differ_make_the_interval():
    times = [[[0.002 * (1 + 0.1 * launch)]] * 4 for launch in range(5)]
    found = fastest_ratio(times, [[[0.001]] * 4] * 5)
    assert found.low < found.value < found.high
    assert math.log(found.high / found.low) < 0.4


def test_same_times_give_the_same_interval():
    times = [[[0.002 + 0.0001 * launch]] for launch in range(5)]
    assert fastest_ratio(times, times[::-1]) == fastest_ratio(times, times[::-1])


@pytest.mark.parametrize(
    ("times", "reference", "message"),
    [
        ([], [], "no times were recorded"),
        ([[]], [[]], "no times were recorded"),
        ([[[1.0]]], [[[1.0]], [[1.0]]], "1 launches against 2"),
    ],
)
def test_times_that_are_none(times, reference, message):
    with pytest.raises(ValueError, match=message):
        fastest_ratio(times, reference)
