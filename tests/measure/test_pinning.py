"""A process is bound to the cores it was given, whatever threads it has."""

import os
import random
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from fqbench.measure import pinning
from fqbench.measure.pinning import bound, pin, pinned, some_cores

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores"
)


@pytest.fixture
def unbound():
    before = os.sched_getaffinity(0)
    yield before
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), before)


@needs_affinity
def test_every_thread_is_bound(unbound):
    core = min(unbound)
    found, done, go = [], threading.Event(), threading.Event()

    def work():
        done.set()
        go.wait(10)
        found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=work)
    thread.start()
    done.wait(10)
    assert pin([core])
    go.set()
    thread.join()
    assert found == [{core}]
    assert os.sched_getaffinity(0) == {core}


@needs_affinity
def test_a_core_that_is_not_there_binds_nothing(unbound):
    assert not pin([4095])
    assert os.sched_getaffinity(0) == unbound


@needs_affinity
def test_thread_that_ended_meanwhile_is_none(unbound, monkeypatch):
    bind, core = os.sched_setaffinity, min(unbound)
    asked = []

    def bound(thread, cores):
        asked.append(thread)
        if len(asked) == 1:
            raise ProcessLookupError
        bind(thread, cores)

    monkeypatch.setattr(pinning.os, "sched_setaffinity", bound)
    assert pin([core])


def test_no_cores_bind_nothing():
    assert not pin([])


@pytest.mark.parametrize(("count", "chosen"), [(1, 1), (3, 3), (9, 4)])
def test_cores_are_drawn_from_those_that_may_be_used(monkeypatch, count, chosen):
    monkeypatch.setattr(pinning.os, "sched_getaffinity", lambda _: {2, 3, 5, 7}, raising=False)
    draws = {some_cores(count, random.Random(seed)) for seed in range(50)}
    assert all(len(set(cores)) == chosen and set(cores) <= {2, 3, 5, 7} for cores in draws)
    assert len(draws) > 1 or chosen == 4


def test_a_system_without_affinity_has_no_cores_to_bind_to(monkeypatch):
    monkeypatch.delattr(pinning.os, "sched_getaffinity", raising=False)
    assert some_cores(1, random.Random(0)) == ()


@needs_affinity
def test_pinned_binds_inside_and_lets_go_after(unbound):
    usable = os.sched_getaffinity(0)
    inside = []
    with pytest.raises(KeyError), pinned(1):
        raise KeyError(inside.append(os.sched_getaffinity(0)))
    assert len(inside[0]) == 1
    assert os.sched_getaffinity(0) == usable


@needs_affinity
def test_bound_widens_what_a_process_may_use_and_narrows_it_again(unbound):
    core = min(unbound)
    pin([core])
    with bound(tuple(unbound)):
        assert os.sched_getaffinity(0) == unbound
    assert os.sched_getaffinity(0) == {core}


@needs_affinity
def test_bound_to_no_cores_leaves_a_process_as_it_is(unbound):
    with bound(()):
        assert os.sched_getaffinity(0) == unbound
    assert os.sched_getaffinity(0) == unbound
