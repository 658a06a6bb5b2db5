"""Blocks of inferences side by side, and images a second made of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.measure.latency import TimingBudget
from fqbench.measure.throughput import Trial, Volleys, fastest, images_per_s


class Machine:
    """A clock that moves by what inferences take: ``at_once`` side by side."""

    def __init__(self, seconds, at_once=2):
        self.seconds, self.width, self.now, self.counts = seconds, at_once, 0.0, []

    def run(self, inputs, count):
        self.counts.append(count)
        self.now += self.seconds * -(-count // self.width)

    def clock(self):
        return self.now


def volleys(machine):
    return Volleys(machine, [], machine.clock)


def test_a_block_is_seconds_by_inference():
    assert volleys(Machine(0.1)).block(4) == (pytest.approx(0.05),)
    assert volleys(Machine(0.1)).block(1) == (pytest.approx(0.1),)


@given(st.floats(1e-5, 3.0), st.integers(1, 8), st.floats(0.0, 0.5))
def test_warm_up_finds_how_many_fill_a_block(seconds, at_once, warm_up):
    machine = Machine(seconds, at_once)
    runs = volleys(machine).warm_up(TimingBudget(warm_up=warm_up, block=0.25))
    assert machine.now >= warm_up
    assert runs % at_once == 0
    filled = seconds * runs / at_once
    # Where one inference is longer than a block, each caller has one.
    assert runs == at_once or abs(filled - 0.25) <= 0.51 * seconds


def test_images_of_a_second_with_their_interval():
    found = images_per_s([[[0.01]], [[0.02]], [[0.04]]], batch=1)
    assert found.value == pytest.approx(50)
    assert 25 <= found.low <= found.value <= found.high <= 100


def test_a_batch_counts_all_its_images():
    assert images_per_s([[[0.02]]] * 5, batch=8).value == pytest.approx(400)


def test_the_fastest_way_is_taken():
    assert fastest([Trial("a", 0.02), Trial("b", 0.01), Trial("c", 0.03)]) == 1
    with pytest.raises(ValueError, match="empty"):
        fastest([])
