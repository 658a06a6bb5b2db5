"""Launches of processes that answer from a script, and of real ones."""

import json
import random

import pytest

from fqbench.errors import StepError
from fqbench.measure import launches as module
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import MeasurementBudget, Process, narrow, record

TIMING_BUDGET = TimingBudget(
    warm_up=0.0, warm_up_runs=1, block=0.02, rounds=4, fewest=1, longest=100.0
)


class Conversations:
    """Stands in for child processes: each side takes the time it is told; no figure is real."""

    def __init__(self, seconds, *, fails=None, pinned=True, failures=99):
        self.seconds, self.fails, self.pinned = seconds, fails or {}, pinned
        self.started, self.questions = [], []
        self.failures_left = failures

    def converse(self, function, arguments, **options):
        self.started.append((options["name"], tuple(arguments["cores"])))
        return _Conversation(self, options["name"])


class _Conversation:
    def __init__(self, all_of_them, name):
        self.all, self.name = all_of_them, name

    def __enter__(self):
        self._fail("start")
        return self

    def __exit__(self, *_):
        return False

    def ready(self):
        self._fail("ready")
        return self.all.pinned

    def ask(self, question):
        self.all.questions.append((self.name, question))
        seconds = self.all.seconds[question["side"]]
        if "warm_up" in question:
            self._fail("warm_up")
            return max(1, round(question["warm_up"]["block"] / seconds))
        self._fail("block")
        return [seconds] * question["runs"]

    def _fail(self, when):
        if self.all.fails.get(self.name) == when and self.all.failures_left > 0:
            self.all.failures_left -= 1
            raise StepError(f"{self.name} was killed")


def process(name, *sides, **values):
    return Process(name, sides or (name,), "fqbench.measure.stopwatch:time_cell", {}, **values)


@pytest.fixture
def scripted(monkeypatch):
    def prepare(seconds, **options):
        made = Conversations(seconds, **options)
        monkeypatch.setattr(module.isolate, "converse", made.converse)
        return made

    return prepare


def never(times):
    return False


def run(processes, budget, enough=never, **options):
    return record(processes, budget, enough, order=random.Random(0), **options)


def test_each_launch_starts_every_process_anew(scripted):
    made = scripted({"a": 0.01, "b": 0.005})
    found = run(
        [process("a"), process("b")], MeasurementBudget(fewest=3, most=3, per_launch=TIMING_BUDGET)
    )
    assert found.times == {
        "a": (((0.01,) * 2,) * 4,) * 3,
        "b": (((0.005,) * 4,) * 4,) * 3,
    }
    assert sorted(name for name, _ in made.started) == ["a"] * 3 + ["b"] * 3
    assert found.pinned
    assert found.failures == {}


def test_processes_of_a_launch_share_their_core(scripted, monkeypatch):
    made = scripted({"a": 0.01, "b": 0.01})
    monkeypatch.setattr(module, "some_cores", lambda count, order: (order.randrange(8),))
    run([process("a"), process("b")], MeasurementBudget(fewest=9, most=9, per_launch=TIMING_BUDGET))
    cores = [cores for _, cores in made.started]
    assert cores[0::2] == cores[1::2]
    assert len(set(cores)) > 1


def test_the_order_of_starts_is_drawn(scripted):
    made = scripted({"a": 0.01, "b": 0.01})
    run(
        [process("a"), process("b")],
        MeasurementBudget(fewest=20, most=20, per_launch=TIMING_BUDGET),
    )
    assert {name for name, _ in made.started[0::2]} == {"a", "b"}


def test_a_process_may_serve_several_sides_in_blocks_of_its_own(scripted):
    scripted({"a": 0.01, "x": 0.001, "y": 0.01})
    found = run(
        [process("a"), process("kernels", "x", "y", block=0.005)],
        MeasurementBudget(fewest=1, most=1, per_launch=TIMING_BUDGET),
    )
    assert {side: len(times[0][0]) for side, times in found.times.items()} == {
        "a": 2,
        "x": 5,
        "y": 1,
    }


def test_it_ends_when_narrow(scripted):
    scripted({"a": 0.01})
    asked = []

    def enough(times):
        asked.append(len(times["a"]))
        return len(times["a"]) == 5

    found = run(
        [process("a")], MeasurementBudget(fewest=3, most=9, per_launch=TIMING_BUDGET), enough
    )
    assert asked == [3, 4, 5]
    assert (found.stopped, len(found.times["a"])) == ("narrow", 5)


def test_it_ends_when_the_time_would_be_used_up(scripted):
    scripted({"a": 0.01})
    now = [0.0]

    def clock():
        now[0] += 5.0
        return now[0]

    found = run(
        [process("a")],
        MeasurementBudget(fewest=2, most=99, longest=60.0, per_launch=TIMING_BUDGET),
        clock=clock,
    )
    assert found.stopped == "time"
    # It starts at 5; the sixth launch ends at 65, and a seventh would end behind that.
    assert len(found.times["a"]) == 6
    assert found.seconds == (5.0,) * 6


def test_fewest_launches_are_done_however_long_they_take(scripted):
    scripted({"a": 0.01})
    found = run(
        [process("a")], MeasurementBudget(fewest=4, most=9, longest=0.0, per_launch=TIMING_BUDGET)
    )
    assert (found.stopped, len(found.times["a"])) == ("time", 4)


@pytest.mark.parametrize("when", ["start", "ready", "warm_up", "block"])
def test_a_process_that_fails_leaves_the_others_be(scripted, when):
    scripted({"a": 0.01, "b": 0.01}, fails={"b": when})
    found = run(
        [process("a"), process("b")], MeasurementBudget(fewest=3, most=3, per_launch=TIMING_BUDGET)
    )
    assert found.failures == {"b": "b was killed"}
    assert {side: len(times) for side, times in found.times.items()} == {"a": 3}


def test_a_process_that_fails_once_is_started_again(scripted):
    scripted({"a": 0.01, "b": 0.01}, fails={"b": "block"}, failures=1)
    found = run(
        [process("a"), process("b")], MeasurementBudget(fewest=3, most=3, per_launch=TIMING_BUDGET)
    )
    assert found.failures == {}
    assert {side: len(times) for side, times in found.times.items()} == {"a": 3, "b": 3}


def test_an_inference_that_took_no_time_is_no_measurement(scripted):
    scripted({"a": 0.01, "b": 0.01})

    class Broken:
        def ask(self, question):
            return 2 if "warm_up" in question else [0.0, 0.01]

    side = module._Remote(process("b"), "b", Broken())
    with pytest.raises(module._FailedError, match="b: an inference took no time"):
        side.block(2)


def test_all_that_fails_is_told(scripted):
    scripted({"a": 0.01, "b": 0.01}, fails={"a": "ready", "b": "block"})
    found = run([process("a"), process("b")], MeasurementBudget(per_launch=TIMING_BUDGET))
    assert found.failures == {"a": "a was killed", "b": "b was killed"}
    assert found.times == {}
    assert not found.pinned


def test_an_answer_that_does_not_fit_fails_its_process(scripted):
    scripted({"a": 0.01}, pinned="perhaps")
    found = run([process("a")], MeasurementBudget(per_launch=TIMING_BUDGET))
    assert found.failures["a"].startswith("a gave an unexpected answer: ")


def test_a_process_that_cannot_be_bound_is_told(scripted):
    scripted({"a": 0.01}, pinned=False)
    assert not run(
        [process("a")], MeasurementBudget(fewest=1, most=1, per_launch=TIMING_BUDGET)
    ).pinned


def times(*medians):
    return [[[seconds] * 3] * 4 for seconds in medians]


def test_narrow_is_known_to_a_part_of_the_ratio():
    same = times(0.010, 0.010, 0.010, 0.010, 0.010)
    assert narrow([same, times(*[0.005] * 5)], width=0.01)
    assert not narrow([same, times(0.005, 0.006, 0.005, 0.006, 0.005)], width=0.01)
    assert narrow([same], width=0.01)
    assert not narrow([times(0.010, 0.012, 0.010, 0.012, 0.011)], width=0.01)


@pytest.mark.slow
def test_real_processes_take_turns():
    """The reference kernels twice, as two processes of one launch."""
    twice = [
        Process(
            name,
            ("float32",),
            "fqbench.measure.stopwatch:time_reference",
            {"threads": 1},
            block=0.001,
        )
        for name in ("one", "other")
    ]
    found = run(twice[:1], MeasurementBudget(fewest=2, most=2, per_launch=TIMING_BUDGET))
    assert found.failures == {}
    assert [len(launch) for launch in found.times["float32"]] == [4, 4]
    assert all(0 < t < 10 for launch in found.times["float32"] for b in launch for t in b)
    json.dumps(found.times, allow_nan=False)
