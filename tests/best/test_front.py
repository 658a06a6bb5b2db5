"""Verdicts against budgets, the front, the winner, and who is left: by literal numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.best.doubts import doubts, too_few_images
from fqbench.best.front import (
    JUDGES,
    NO_DROP,
    Budget,
    Figures,
    as_accurate,
    dominates,
    excess,
    faster,
    front,
    nearest,
    proven,
    runner_up,
    standings,
    verdict,
    winner,
)
from fqbench.best.halving import DOUBT, beaten, beats, hopeful, next_to_evaluate
from fqbench.best.roof import beyond, int8_gain, most_gain
from fqbench.measure.stats import Interval


def figures(name, ms, size=10.0, drop=None, *, spread=0.1):
    """``ms`` plus or minus ``spread``; ``drop``: low, value, high."""
    interval = None if drop is None else Interval(drop[1], drop[0], drop[2])
    time = Interval(ms, ms - spread, ms + spread)
    return Figures(name, time, time, size, interval)


FLOAT = Figures("float", Interval(4.0, 3.9, 4.1), Interval(4.0, 3.9, 4.1), 20.0, NO_DROP)
SLOW_FLOAT = Figures("slow float", Interval(8.0, 7.9, 8.1), Interval(8.0, 7.9, 8.1), 20.0, NO_DROP)
INT8 = figures("int8", 2.0, 5.0, (0.1, 0.3, 0.4))
UNSURE = figures("unsure", 1.0, 5.0, (-0.2, 0.3, 0.8))
BAD = figures("bad", 0.5, 5.0, (1.5, 2.0, 2.5))


def within(**limits):
    """A budget that only what is known is inside of."""
    return Budget(**limits, judge="interval")


class TestVerdict:
    @pytest.mark.parametrize(
        ("one", "held"),
        [
            (FLOAT, "inside"),
            (INT8, "inside"),
            (UNSURE, "not known"),
            (BAD, "outside"),
            (figures("unevaluated", 1.0), "not known"),
        ],
    )
    def test_drop_by_its_whole_interval(self, one, held):
        assert verdict(one, within(drop=0.5)) == held

    def test_each_limit_stands_for_itself(self):
        budget = within(drop=0.2, ms=2.05, size=5.0)
        found = {"drop": "not known", "ms": "not known", "size": "inside"}
        assert standings(INT8, budget) == found
        assert standings(FLOAT, budget) == {"drop": "inside", "ms": "outside", "size": "outside"}
        assert verdict(FLOAT, budget) == "outside"

    def test_drop_as_measured(self):
        budget = Budget(drop=0.5)
        assert budget.judge == "estimate"
        assert verdict(UNSURE, budget) == "inside"
        assert verdict(figures("over", 1.0, drop=(-0.2, 0.6, 1.4)), budget) == "outside"
        assert verdict(figures("unevaluated", 1.0), budget) == "not known"
        # Time is judged by its interval all the same.
        assert verdict(UNSURE, Budget(drop=0.5, ms=1.05)) == "not known"
        assert not proven(UNSURE, budget)
        assert proven(INT8, budget)
        assert proven(UNSURE, Budget(ms=1.0))

    def test_nothing_asked_is_inside(self):
        assert verdict(BAD, within()) == "inside"

    def test_what_is_missing_is_to_the_end_of_the_interval(self):
        assert excess(UNSURE, within(drop=0.5, ms=3.0)) == {"drop": pytest.approx(0.3)}
        assert excess(FLOAT, within(ms=3.0, size=5.0)) == {
            "ms": pytest.approx(1.1),
            "size": pytest.approx(15.0),
        }


class TestComparison:
    def test_faster_where_intervals_lie_apart(self):
        assert faster(INT8, FLOAT)
        assert not faster(figures("a", 1.0), figures("b", 1.1))
        assert faster(figures("a", 1.0), figures("b", 1.3))
        assert not faster(figures("a", 1.0), figures("b", 1.25), doubt=0.05)

    def test_as_accurate_by_certainty(self):
        assert as_accurate(FLOAT, INT8)
        assert as_accurate(FLOAT, figures("unevaluated", 1.0))
        assert as_accurate(INT8, BAD)
        assert not as_accurate(UNSURE, INT8)
        assert not as_accurate(figures("unevaluated", 1.0), BAD)

    def test_gains_are_not_counted(self):
        gains = figures("gains", 1.0, drop=(-0.5, -0.3, -0.1))
        assert as_accurate(FLOAT, gains)
        assert as_accurate(gains, FLOAT)

    def test_pace_tells_what_a_noisy_machine_hides(self):
        noise = Interval(2.0, 1.0, 4.0)
        one = Figures("one", noise, Interval(0.5, 0.48, 0.52), 5.0)
        other = Figures("other", noise, Interval(1.0, 1.0, 1.0), 5.0)
        assert faster(one, other)
        assert not faster(other, one)

    def test_front(self):
        listed = (FLOAT, SLOW_FLOAT, INT8, UNSURE, BAD)
        assert [each.name for each in front(listed)] == ["float", "int8", "unsure", "bad"]
        assert not dominates(BAD, INT8)


class TestWinner:
    def test_fastest_inside(self):
        listed = (FLOAT, SLOW_FLOAT, INT8, UNSURE, BAD)
        assert winner(listed, within(drop=0.5)) == INT8
        assert winner(listed, within(drop=0.0)) == FLOAT
        assert winner(listed, within(drop=3.0)) == BAD
        assert winner(listed, within(drop=0.5, ms=1.0)) is None

    def test_without_a_drop_the_one_that_loses_least(self):
        listed = (FLOAT, SLOW_FLOAT, INT8, UNSURE, BAD)
        assert winner(listed, within(ms=10.0)) == FLOAT
        assert winner(listed, within(ms=3.0)) == UNSURE
        assert winner(listed, within(size=5.0)) == UNSURE

    def test_fastest_as_measured(self):
        assert winner((FLOAT, INT8, UNSURE, BAD), Budget(drop=0.5)) == UNSURE
        assert winner((FLOAT, INT8, UNSURE, BAD), Budget(drop=0.2)) == FLOAT
        assert excess(figures("over", 1.0, drop=(-0.2, 0.6, 1.4)), Budget(drop=0.5)) == {
            "drop": pytest.approx(0.1)
        }

    def test_runner_up_is_what_would_win_were_it_known(self):
        assert runner_up((FLOAT, INT8, UNSURE, BAD), INT8, within(drop=0.5)) == UNSURE
        over = figures("over", 0.9, 5.0, (0.2, 0.7, 0.9))
        assert runner_up((FLOAT, INT8, over, UNSURE), INT8, within(drop=0.5)) == UNSURE
        assert runner_up((FLOAT, INT8, over), INT8, within(drop=0.5)) == over
        assert runner_up((FLOAT, INT8, BAD), INT8, within(drop=0.5)) == FLOAT
        assert runner_up((FLOAT, BAD), FLOAT, within(drop=0.5)) == BAD
        assert runner_up((FLOAT,), FLOAT, within(drop=0.5)) is None

    def test_nearest(self):
        assert nearest((FLOAT, SLOW_FLOAT), within(ms=1.0)) == FLOAT
        assert nearest((INT8, BAD), within(drop=0.1)) == INT8
        assert nearest((), within(ms=1.0)) is None


class TestHalving:
    def test_what_is_slower_than_float_cannot_win(self):
        slow_int8 = figures("slow int8", 6.0, 5.0)
        listed = (FLOAT, SLOW_FLOAT, figures("int8", 2.0, 5.0), slow_int8)
        assert beaten(listed, within(drop=0.5)) == {"slow float": "float", "slow int8": "float"}

    def test_what_is_small_enough_may_win_all_the_same(self):
        slow_int8 = figures("slow int8", 6.0, 5.0)
        assert beaten((FLOAT, slow_int8), within(drop=0.5, size=6.0)) == {}

    def test_what_may_be_too_slow_does_not_beat_what_is_not(self):
        unsteady = Figures("u", Interval(2.0, 1.0, 6.0), Interval(0.5, 0.4, 0.6), 5.0, NO_DROP)
        steady = Figures("s", Interval(4.0, 3.9, 4.1), Interval(1.0, 0.9, 1.1), 5.0, NO_DROP)
        assert beats(unsteady, steady, within(drop=0.5))
        assert not beats(unsteady, steady, within(drop=0.5, ms=5.0))
        assert beats(unsteady, steady, within(drop=0.5, ms=4.0))

    def test_accuracy_is_asked_of_the_fastest_first_and_no_more_than_needed(self):
        budget = within(drop=0.5)
        one, other = figures("one", 1.0), figures("other", 2.0)
        assert next_to_evaluate((FLOAT, other, one), budget) == one
        inside = figures("one", 1.0, drop=(0.1, 0.2, 0.3))
        assert next_to_evaluate((FLOAT, other, inside), budget) is None
        outside = figures("one", 1.0, drop=(0.6, 0.7, 0.8))
        assert next_to_evaluate((FLOAT, other, outside), budget) == other
        assert next_to_evaluate((FLOAT, other, outside), budget, {"other"}) is None

    def test_hopeful_leaves_out_what_is_outside_unless_all_are(self):
        names = [each.name for each in hopeful((FLOAT, INT8, BAD), within(drop=0.5))]
        assert names == ["int8"]
        assert [each.name for each in hopeful((FLOAT, BAD), within(ms=0.1))] == ["bad", "float"]


class TestDoubts:
    def test_too_few_images(self):
        assert too_few_images(within(drop=0.5), 2000) is None
        assert too_few_images(within(ms=1.0), 2) is None
        few = too_few_images(within(drop=0.5), 500)
        assert few is not None
        assert "known to 0.88 points only; about 1600 would tell. What is not" in few
        measured = too_few_images(Budget(drop=0.5), 500)
        assert measured is not None
        assert measured.endswith(
            "wins by its drop as measured; --judge interval asks for certainty"
        )
        none = too_few_images(within(drop=0.0), 500)
        assert none is not None
        assert "no number of images would tell" in none

    def test_a_file_that_is_too_small_to_be(self):
        assert list(doubts(within(size=10.0), 2000, 28.0)) == []
        assert list(doubts(within(size=6.0), 2000, 28.0)) == [
            "nothing is expected to be inside 6 MB: the model has 28.00 MB, in INT8 at least"
            " 6.72 MB"
        ]

    def test_a_drop_of_everything(self):
        assert list(doubts(within(drop=100.0), None, 1.0)) == [
            "a drop of 100 points limits nothing: accuracy has 100"
        ]


def blocks(ms):
    return [[[ms / 1e3] * 2 for _ in range(10)] for _ in range(5)]


class TestRoof:
    def test_gain_is_that_of_products_or_of_bytes(self):
        assert int8_gain({"float32": blocks(8.0), "int8": blocks(1.0)}) == pytest.approx(8.0)
        assert int8_gain({"float32": blocks(1.9), "int8": blocks(1.0)}) == 4.0
        assert int8_gain({"float32": blocks(1.0)}) is None

    def test_what_it_gained_elsewhere_bounds_it_too(self):
        assert most_gain(4.0, [2.0, 1.2]) == 3.0
        assert most_gain(4.0, [3.0]) == 4.0
        assert most_gain(4.0, []) == 4.0
        assert most_gain(None, [2.0]) == 3.0
        assert most_gain(None, []) is None

    def test_what_is_beyond_it_cannot_win(self):
        # INT8 of 9 ms in FP32 takes 2.25 ms at its best, of 8 ms 2 ms.
        slower = figures("slower", 9.0, 20.0, (0.0, 0.0, 0.0))
        assert beyond(slower, 4.0, (FLOAT, INT8), within(drop=0.5)) == INT8
        assert beyond(SLOW_FLOAT, 4.0, (FLOAT, INT8), within(drop=0.5)) is None
        assert beyond(slower, 4.0, (FLOAT, INT8), within(drop=0.1)) is None
        # A file that is small enough may win however slow it is.
        assert beyond(slower, 4.0, (FLOAT,), within(drop=0.5, size=6.0)) is None


@st.composite
def _interval(draw, low, high):
    ends = sorted(draw(st.lists(st.floats(low, high), min_size=3, max_size=3)))
    return Interval(ends[1], ends[0], ends[2])


@st.composite
def _candidates(draw, least=1):
    drops = st.none() | st.just(NO_DROP) | _interval(-2.0, 5.0)
    count = draw(st.integers(least, 6))
    return [
        Figures(
            f"c{n}",
            draw(_interval(0.1, 20.0)),
            draw(_interval(0.1, 20.0)),
            draw(st.floats(1.0, 50.0)),
            draw(drops),
        )
        for n in range(count)
    ]


_LIMIT = st.none() | st.floats(0.0, 20.0)
BUDGETS = st.builds(Budget, drop=_LIMIT, ms=_LIMIT, size=_LIMIT, judge=st.sampled_from(JUDGES))


@pytest.mark.slow
@given(_candidates(), BUDGETS)
def test_the_winner_is_inside_and_nothing_beats_it(candidates, budget):
    first = winner(candidates, budget)
    if first is not None:
        assert verdict(first, budget) == "inside"
        assert not any(beats(other, first, budget) for other in candidates)
        assert not any(
            dominates(other, first) and verdict(other, budget) == "inside" for other in candidates
        )


@given(_candidates(), BUDGETS)
def test_leaving_out_what_is_beaten_changes_nothing(candidates, budget):
    out = beaten(candidates, budget)
    left = [each for each in candidates if each.name not in out]
    assert winner(left, budget) == winner(candidates, budget)


@pytest.mark.slow
@given(_candidates(), BUDGETS)
def test_what_is_beaten_beyond_doubt_is_beaten(candidates, budget):
    assert beaten(candidates, budget, DOUBT).keys() <= beaten(candidates, budget).keys()


@pytest.mark.slow
@given(_candidates())
def test_what_is_not_on_the_front_is_dominated_by_what_is(candidates):
    on_it = front(candidates)
    assert on_it
    for each in candidates:
        if each not in on_it:
            assert any(dominates(other, each) for other in on_it)


@given(_candidates(), BUDGETS)
def test_adding_what_is_dominated_leaves_the_winner(candidates, budget):
    first = winner(candidates, budget)
    if first is None or first.drop is None:
        return
    worse = Figures(
        "worse",
        Interval(first.ms.high + 2, first.ms.high + 1, first.ms.high + 3),
        Interval(first.pace.high + 2, first.pace.high + 1, first.pace.high + 3),
        first.size + 1,
        Interval(first.drop.high + 6, first.drop.high + 5, first.drop.high + 7),
    )
    assert winner([*candidates, worse], budget) == first


@given(_candidates(), BUDGETS)
def test_what_is_asked_for_accuracy_may_win(candidates, budget):
    asked = next_to_evaluate(candidates, budget)
    if asked is not None:
        assert asked.drop is None
        assert asked.name not in beaten(candidates, budget, DOUBT)
