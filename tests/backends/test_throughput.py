"""Inferences side by side: how cores are divided, and callers that share the work."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.backends.throughput import Callers, described, divisions
from fqbench.errors import StepError


class Counting:
    """A runner that remembers who called it with what."""

    def __init__(self, seconds=0.0):
        self.made_in = threading.get_ident()
        self.called_in, self.inputs, self.seconds = [], [], seconds

    def run(self, inputs):
        time.sleep(self.seconds)
        self.called_in.append(threading.get_ident())
        self.inputs.append(inputs)
        return []


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (1, ((1, 1),)),
        (2, ((1, 2), (2, 1))),
        (7, ((1, 7), (7, 1))),
        (8, ((1, 8), (2, 4), (8, 1))),
        (64, ((1, 64), (16, 4), (64, 1))),
    ],
)
def test_cores_are_divided(cores, expected):
    assert divisions(cores) == expected


@given(st.integers(1, 512))
def test_no_core_is_given_twice(cores):
    assert all(callers * threads <= cores for callers, threads in divisions(cores))


def test_divisions_in_words():
    assert described(1, 1) == "one inference at a time in 1 thread"
    assert described(1, 8) == "one inference at a time in 8 threads"
    assert described(2, 1) == "2 inferences at once in 1 thread each"


@settings(deadline=None)  # Threads wait for each other.
@given(st.integers(1, 4), st.integers(0, 40))
def test_each_inference_runs_once(callers, count):
    made = []

    def make():
        made.append(Counting())
        return made[-1]

    Callers([make] * callers).run([np.zeros(1)], count)
    assert len(made) == callers
    assert sum(len(each.inputs) for each in made) == count


def test_callers_run_what_they_made_in_threads_of_their_own():
    made = []

    def make():
        made.append(Counting(0.002))
        return made[-1]

    inputs = [np.zeros(1)]
    Callers([make] * 3).run(inputs, 30)
    assert len({each.made_in for each in made}) == 3
    for each in made:
        assert set(each.called_in) == {each.made_in}
        assert all(given is inputs for given in each.inputs)


def test_they_run_at_the_same_time():
    together = threading.Barrier(3, timeout=20)
    met = []

    class Meeting:
        def run(self, inputs):
            met.append(together.wait())
            return []

    Callers([Meeting] * 3).run([], 3)
    assert sorted(met) == [0, 1, 2]


def test_what_fails_is_raised():
    class Broken:
        def run(self, inputs):
            raise StepError("the runtime ended")

    with pytest.raises(StepError, match="the runtime ended"):
        Callers([Broken, Broken]).run([], 10)


def test_what_cannot_be_loaded_is_raised():
    def make():
        raise StepError("the file is broken")

    with pytest.raises(StepError, match="the file is broken"):
        Callers([make])
