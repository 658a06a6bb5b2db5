"""The self-test: replayed suites, what it counts, and what it keeps in a file."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.errors import UsageError
from fqbench.gate import recording, rival, slowed
from fqbench.gate.contest import Terms, Timed
from fqbench.gate.recording import Recording
from fqbench.gate.replay import Launch, longer, replay
from fqbench.gate.selftest import Suite, judge, planned, pool_of
from fqbench.measure.launches import Recorded
from fqbench.report.gate_selftest import interval, sentences

CELLS = ("a", "b", "c")


def side(noise, seconds=0.01):
    return tuple(tuple(seconds * noise.gauss(1, 0.004) for _ in range(3)) for _ in range(8))


def recorded(noise, launches=8, **values):
    times = {
        name: tuple(side(noise, values.get(name, 0.01)) for _ in range(launches))
        for name in ("base", "head")
    }
    return Recorded(times, "narrow", True, (1.5,) * launches)


def suites(count=4):
    noise = random.Random(1)
    return [Suite({cell: Timed(recorded(noise)) for cell in CELLS}) for _ in range(count)]


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


def test_nothing_recorded_is_told():
    with pytest.raises(UsageError, match="nothing was recorded of identical sides"):
        pool_of([])


@pytest.mark.parametrize(("slowdown", "called"), [(0.0, ()), (0.05, ("b",)), (0.10, ("b",))])
def test_a_replayed_suite_is_judged_as_a_measured_one(slowdown, called):
    for seed in range(10):
        outcome = replay(POOL, Terms(), random.Random(seed), {"b": slowdown})
        assert outcome.called_slower() == called
        assert [v.status for v in outcome.decision.verdicts if v.cell != "b"] == ["same"] * 2


def test_seconds_of_a_suspect_are_those_of_both_measurements():
    outcome = replay(POOL, Terms(), random.Random(0), {"b": 0.10})
    assert outcome.seconds == {"a": 9.0, "b": 18.0, "c": 9.0}


def test_time_that_is_used_up_ends_a_replayed_measurement():
    noise = random.Random(2)
    rough = {"a": [Launch(side(noise), side(noise, noise.choice([0.008, 0.012])), 4.0)] * 1}
    outcome = replay(rough, Terms(seconds=60), random.Random(0))
    assert outcome.seconds["a"] <= 60


@given(st.floats(0, 1), st.lists(st.floats(1e-6, 10), min_size=1, max_size=5))
def test_longer_is_longer_by_its_part(slowdown, times):
    (found,) = longer([times], slowdown)
    assert found == pytest.approx([t * (1 + slowdown) for t in times])


def test_counts_are_of_suites():
    trial = judge(suites(), 12, Terms(), random.Random(0), lambda *_: None)
    assert trial.cells == CELLS
    assert [(c.slowdown, c.suites, c.called) for c in trial.real] == [(0.0, 4, 0)]
    assert [(c.slowdown, c.suites) for c in trial.replayed] == [
        (slowdown, 12) for slowdown in (0.0, 0.02, 0.05, 0.10)
    ]
    found = {c.slowdown: c.called for c in trial.replayed}
    assert (found[0.0], found[0.05], found[0.10]) == (0, 12, 12)
    assert set(trial.rival) == {"mean", "median", "min"}
    # Six pairs of four suites, whose noise is far below pytest-benchmark's 5 %.
    same, *_, slow = trial.rival["median"]
    assert (same.suites, same.called) == (6, 0)
    assert (slow.suites, slow.called) == (6, 6)
    assert len(sentences(trial)) == 4


def test_a_slowed_suite_counts_where_its_cell_is_called():
    noise = random.Random(3)
    slow = recorded(noise, head=0.011)
    timed = {"a": Timed(recorded(noise)), "b": Timed(slow, slow)}
    trial = judge([*suites(1), Suite(timed, "b", 0.10)], 1, Terms(), random.Random(0), lambda *_: 0)
    assert [(c.slowdown, c.suites, c.called) for c in trial.real] == [(0.0, 1, 0), (0.10, 1, 1)]


# pytest-benchmark's own check


def run(**medians):
    return {cell: ([[[m, m, m]]], [[[m, m, m]]]) for cell, m in medians.items()}


@pytest.mark.parametrize("field", rival.FIELDS)
def test_pytest_benchmark_fails_what_is_more_than_five_percent_slower(field):
    base, head = rival.summaries([run(a=1.0, b=1.0), run(a=1.04, b=1.06)], 0)
    assert rival.failures(base, head, field) == ("b",)
    assert rival.failures(base, rival.slowed(head, "a", 0.02), field) == ("a", "b")


def test_fields_are_those_of_the_times():
    (found,) = rival.summaries([{"a": ([[[1.0, 2.0], [6.0]]], [])}], 0)
    assert found["a"] == {"mean": 3.0, "median": 2.0, "min": 1.0}


# The file


def test_recorded_suites_are_read_as_they_were(tmp_path):
    noise = random.Random(4)
    timed = {cell: Timed(recorded(noise), recorded(noise)) for cell in CELLS}
    kept = Recording((*suites(2), Suite(timed, "a", 0.05)), (0.0, 0.0, 0.05, 0.10))
    path = recording.write(tmp_path / "suites.json", kept, {"threads": 1})
    assert recording.read(path) == kept
    assert kept.missing == [0.10], "what an interrupted self-test goes on with"


def test_a_quarter_as_many_suites_are_slowed():
    assert planned(4) == [0.0, 0.0, 0.0, 0.0, 0.02, 0.05, 0.10]
    assert planned(5) == [*[0.0] * 5, 0.02, 0.02, 0.05, 0.05, 0.10, 0.10]


@pytest.mark.parametrize(
    "change", [{"kind": "gate"}, {"schema": 2}, {"suites": [{"slowed": None, "slowdown": -1}]}]
)
def test_other_files_are_told(tmp_path, change):
    path = recording.write(tmp_path / "suites.json", Recording(tuple(suites(1)), (0.0,)), {})
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match=r"suites\.json"):
        recording.read(path)


def change_of(content, cell="a"):
    return content["suites"][0]["cells"][cell]["first"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: change_of(content)["base"].pop(),
        lambda content: change_of(content)["seconds"].pop(),
        lambda content: change_of(content)["head"][0].pop(),
        lambda content: change_of(content)["head"][0][0].clear(),
        lambda content: content["suites"][0]["cells"].pop("a"),
    ],
)
def test_damaged_files_are_told(tmp_path, damage):
    kept = Recording(tuple(suites(2)), (0.0, 0.0))
    path = recording.write(tmp_path / "suites.json", kept, {})
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"suites\.json"):
        recording.read(path)


# Slowed on purpose


def test_a_slowed_call_takes_its_part_longer(monkeypatch):
    now = [0.0]

    def clock():
        now[0] += 0.0001
        return now[0]

    monkeypatch.setattr(slowed.time, "perf_counter", clock)

    def call():
        now[0] += 1.0

    slowed.slowed(call, 0.05)()
    assert now[0] == pytest.approx(1.05, abs=0.001)


# The interval of a share


@pytest.mark.parametrize(
    ("called", "suites", "low", "high"),
    [(0, 200, 0.0, 0.01828), (200, 200, 0.98172, 1.0), (5, 10, 0.18709, 0.81291)],
)
def test_interval_of_a_share(called, suites, low, high):
    assert interval(called, suites) == pytest.approx((low, high), abs=1e-5)
