"""Where times change for good, and where they only look like it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.history import changes
from fqbench.history.changes import find_changes, inflation, normal_scores, placed
from tests.support.kept_runs import needs_ruptures


def noise(count: int, seed: int = 0) -> np.ndarray:
    return 2.0 * np.exp(0.02 * np.random.default_rng(seed).standard_normal(count))


@needs_ruptures
def test_a_shift_is_found_where_it_is():
    found = find_changes([*noise(50), *(1.2 * noise(20, 1))])
    assert len(found) == 1
    assert abs(found[0] - 50) <= 1


@needs_ruptures
def test_two_shifts_are_found():
    found = find_changes([*noise(40), *(1.2 * noise(40, 1)), *noise(40, 2)])
    assert [round(index, -1) for index in found] == [40, 80]


@needs_ruptures
@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_found_in_noise(seed):
    assert find_changes(noise(100, seed)) == ()


@needs_ruptures
def test_a_slow_run_or_two_is_no_change():
    assert find_changes([*noise(40), 9.0, *noise(40, 1), 8.0, 8.5, *noise(40, 2)]) == ()


@needs_ruptures
def test_drift_is_no_change():
    steps = np.random.default_rng(3).standard_normal(300)
    drift = np.zeros(300)
    for index in range(1, 300):
        drift[index] = 0.9 * drift[index - 1] + steps[index]
    alone = changes._segmented(normal_scores(drift), changes.MARGIN + 2 * math.log(300))
    assert len(alone) >= 3
    assert find_changes(drift) == ()


@needs_ruptures
@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.1, 10), max_size=40))
def test_changes_are_ascending_places_and_their_number_is_that_of_the_ranks(values):
    found = find_changes(values)
    assert all(0 < index < len(values) for index in found)
    assert found == tuple(sorted(set(found)))
    assert len(find_changes([math.log(value) for value in values])) == len(found)


@needs_ruptures
def test_a_change_is_placed_by_the_values():
    values = [1.0, 1.1, 0.9, 1.0, 1.2, 1.25, 1.15, 5.0, 5.1, 4.9, 5.0]
    assert placed(values, [4]) == (7,)


def test_equal_values_have_no_change():
    assert find_changes([1.0] * 50) == ()


def test_without_the_library_nothing_is_marked(monkeypatch):
    monkeypatch.setattr(changes, "can_find", lambda: False)
    assert find_changes([1.0] * 20 + [2.0] * 20) == ()


def test_normal_scores():
    assert normal_scores([3.0, 1.0, 2.0]) == pytest.approx([0.967422, -0.967422, 0.0], abs=1e-6)


def test_inflation_of_alternating_values_is_none():
    assert inflation(np.array([1.0, -1.0] * 10), ()) == 1.0


def test_inflation_of_a_slow_wave():
    # r(1) of 1, 1, -1, -1, ... is nearly 0 (9 of 20 products are 1, 10 are -1), that of four alike
    # 0.5: (1 + 0.45) / (1 - 0.45) of 20 values.
    wave = np.repeat([1.0, -1.0] * 2 + [1.0], 4)
    wave -= wave.mean()
    left = float(wave[1:] @ wave[:-1]) / float(wave @ wave)
    assert inflation(wave, ()) >= (1 + left) / (1 - left) > 2


def test_inflation_leaves_out_the_changes():
    shifted = np.array([1.0, -1.0] * 10 + [11.0, 9.0] * 10)
    assert inflation(shifted, (20,)) == 1.0
    assert inflation(shifted, ()) > 5
