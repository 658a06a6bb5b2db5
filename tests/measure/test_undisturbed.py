"""The fastest rounds, in units of a reference: literal numbers."""

import math

import numpy as np
import pytest

from fqbench.measure.undisturbed import fastest_ratio


def test_ratio_of_undisturbed_times():
    found = fastest_ratio([[[0.004, 0.005]] * 3] * 5, [[[0.002, 0.003]] * 3] * 5)
    assert found.value == pytest.approx(2.0)
    assert (found.low, found.high) == (pytest.approx(2.0), pytest.approx(2.0))


def test_fast_rounds_decide_by_their_shortest_times():
    """Of 21 rounds, the second fastest stands at 5 %, the sixth at 25 %."""
    times = [[[float(second), 100.0] for second in range(10, 31)]]
    found = fastest_ratio(times, [[[1.0]] * 21])
    assert found.value == pytest.approx(11.0)
    assert found.high == pytest.approx(11.0 * math.exp(1.96 * math.log(15 / 10)))
    assert found.low == pytest.approx(11.0 / math.exp(1.96 * math.log(15 / 10)))


def test_what_disturbs_most_rounds_does_not_count():
    random = np.random.default_rng(0)
    calm = [[[0.002]] * 20 for _ in range(8)]
    disturbed = [
        [[0.002 * (1 + (random.random() < 0.6) * random.random())] for _ in range(20)]
        for _ in range(8)
    ]
    found = fastest_ratio(disturbed, calm)
    assert found == fastest_ratio(calm, calm)


def test_what_disturbs_all_rounds_makes_the_interval_wide():
    random = np.random.default_rng(0)
    disturbed = [[[0.002 * (1 + random.random())] for _ in range(20)] for _ in range(8)]
    found = fastest_ratio(disturbed, [[[0.001]] * 20] * 8)
    assert found.high / found.low > 1.5


@pytest.mark.parametrize(("times", "reference"), [([], [[[1.0]]]), ([[]], [[[1.0]]]), ([[[]]], [])])
def test_times_that_are_none(times, reference):
    with pytest.raises(ValueError, match="no times were recorded"):
        fastest_ratio(times, reference)
