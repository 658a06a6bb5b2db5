"""The order and the number of timed inferences, on a clock that only models move."""

import pytest

from fqbench.measure.latency import TimingBudget, time_interleaved

TIMING_BUDGET = TimingBudget(
    warm_up=0.0, warm_up_runs=3, block=4.0, rounds=6, fewest=2, longest=1000.0
)
"""Blocks of four inferences of one second."""


class Machine:
    """Models of known speed; ``trace`` has the name of each as it ran."""

    def __init__(self, **seconds: float) -> None:
        self.now = 100.0
        self.trace: list[str] = []
        self.seconds = dict(seconds)
        self.calls = {name: self._call(name) for name in seconds}

    def _call(self, name):
        def run() -> None:
            self.trace.append(name)
            self.now += self.seconds[name]

        return run

    def clock(self) -> float:
        return self.now

    def time(self, budget: TimingBudget = TIMING_BUDGET, **options):
        return time_interleaved(self.calls, budget, clock=self.clock, **options).blocks


def replaced(**values) -> TimingBudget:
    return TimingBudget(**{**vars(TIMING_BUDGET), **values})


def test_every_round_is_a_block_of_times():
    assert Machine(a=1.0).time() == {"a": ((1.0,) * 4,) * 6}


def test_warm_up_runs_are_not_counted():
    machine = Machine(a=2.0)
    machine.time()
    assert len(machine.trace) == 4 + 6 * 2, "two windows of two: three are not whole ones"


def falling(*seconds: float) -> Machine:
    """A model whose first inferences take ``seconds``, the last of them from then on."""
    machine = Machine(a=0.0)
    steady = machine.calls["a"]

    def run() -> None:
        steady()
        machine.now += seconds[min(len(machine.trace), len(seconds)) - 1]

    machine.calls["a"] = run
    return machine


def test_warm_up_goes_on_until_times_settle():
    machine = falling(9.0, 8.0, 7.0, 6.0, 5.0)
    assert machine.time(replaced(settling=1000.0)) == {"a": ((5.0,),) * 6}
    assert len(machine.trace) == 6 + 6, "the sixth is no faster than the fifth"


def test_times_that_keep_falling_end_the_warm_up_at_last():
    machine = falling(64.0, 32.0, 16.0, 8.0, 4.0)
    machine.time(replaced(settling=100.0))
    assert len(machine.trace) == 3 + 6


def test_first_slow_inference_is_not_counted():
    machine = Machine(a=1.0)
    fast = machine.calls["a"]

    def first_slow() -> None:
        fast()
        machine.now += 50.0 if len(machine.trace) == 1 else 0.0

    machine.calls["a"] = first_slow
    assert machine.time() == {"a": ((1.0,) * 4,) * 6}


def test_warm_up_lasts_as_long_as_it_says():
    machine = Machine(a=1.0)
    machine.time(replaced(warm_up=7.5))
    assert len(machine.trace) == 8 + 6 * 4


@pytest.mark.parametrize(("seconds", "length"), [(0.5, 8), (1.5, 3), (4.0, 1), (60.0, 1)])
def test_block_length_follows_the_speed(seconds, length):
    assert [len(block) for block in Machine(a=seconds).time()["a"]] == [length] * 6


def test_clock_that_stands_still_gives_blocks_of_one():
    assert Machine(a=0.0).time() == {"a": ((0.0,),) * 6}


def test_longest_ends_measuring():
    assert len(Machine(a=1.0).time(replaced(longest=10.0))["a"]) == 3


def test_longest_is_for_each_model():
    blocks = Machine(a=1.0, b=1.0).time(replaced(longest=10.0))
    assert {name: len(times) for name, times in blocks.items()} == {"a": 3, "b": 3}


def test_fewest_rounds_are_done_however_long_they_take():
    assert len(Machine(a=100.0).time(replaced(longest=10.0, fewest=5))["a"]) == 5


def test_warm_up_is_not_part_of_the_longest():
    blocks = Machine(a=1.0).time(replaced(longest=10.0, warm_up=500.0))
    assert len(blocks["a"]) == 3


@pytest.mark.parametrize("longest", [1.0, 30.0, 1000.0])
def test_every_side_has_as_many_blocks(longest):
    blocks = Machine(a=0.5, b=2.0, c=9.0).time(replaced(longest=longest))
    assert len({len(times) for times in blocks.values()}) == 1


def test_times_are_given_to_their_own_model():
    blocks = Machine(a=1.0, b=2.0).time()
    assert blocks == {"a": ((1.0,) * 4,) * 6, "b": ((2.0,) * 2,) * 6}


def order(seed: int) -> str:
    """Which of two models went first, round by round."""
    machine = Machine(a=4.0, b=4.0)
    machine.time(replaced(rounds=40), seed=seed)
    return "".join(machine.trace[6::2])


def test_both_models_go_first_in_some_rounds():
    assert set(order(0)) == {"a", "b"}
    assert len(order(0)) == 40


def test_each_model_runs_in_each_round():
    machine = Machine(a=4.0, b=4.0)
    machine.time(replaced(rounds=40))
    timed = machine.trace[6:]
    assert all(set(timed[i : i + 2]) == {"a", "b"} for i in range(0, 80, 2))


def test_order_is_the_same_for_a_seed_only():
    assert order(1) == order(1)
    assert order(1) != order(2)


def test_progress_counts_rounds():
    seen = []
    Machine(a=1.0).time(on_round=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 6), (2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]


def test_error_of_a_model_is_not_hidden():
    def broken() -> None:
        raise RuntimeError("no such kernel")

    with pytest.raises(RuntimeError, match="no such kernel"):
        time_interleaved({"a": broken}, TIMING_BUDGET)
