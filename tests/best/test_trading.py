"""Which points between INT8 and FP32 are looked for and made: by literal numbers."""

from dataclasses import replace

import pytest

from fqbench.best.candidates import Candidate
from fqbench.best.entry import Entry
from fqbench.best.front import NO_DROP, Budget, Figures
from fqbench.best.trading import kept_layers, most_lost, why_not_traded, worth_making
from fqbench.measure.stats import Interval
from fqbench.tune.choice import ACCURACY, SPEED, Choice

ALL_INT8 = Choice({"a": SPEED}, False, (), 0.1, 0.1, (), {}, slowdown=0.4)
SOME_FLOAT = replace(ALL_INT8, float_layers={"a": SPEED, "b": ACCURACY, "c": ACCURACY})


class _Named(Candidate):
    """A candidate of no model: what is decided here needs its name only."""

    def __init__(self, name):
        object.__setattr__(self, "known_as", name)

    @property
    def name(self):
        return self.known_as

    @property
    def label(self):
        return self.known_as


def entry(name, pace, drop=None, choice=None, *, took_fp32=False):
    time = Interval(pace, pace - 0.01, pace + 0.01)
    interval = None if drop is None else Interval(drop[1], drop[0], drop[2])
    return Entry(
        _Named(name), None, 5.0, time, time, drop=interval, choice=choice, took_fp32=took_fp32
    )


def why(base, best, budget, lost=1.0):
    return why_not_traded(base, base.figures, best, budget, lost)


FLOAT = entry("float", 1.0, (0.0, 0.0, 0.0))
HALF = Budget(drop=0.5)


def test_only_what_is_kept_for_accuracy_counts():
    assert kept_layers(ALL_INT8) == 0
    assert kept_layers(SOME_FLOAT) == 2


class TestWhetherToTrade:
    def test_what_loses_too_much_is_worth_trading(self):
        assert why(entry("int8", 0.4, (1.0, 2.0, 3.0), ALL_INT8), FLOAT, HALF) is None

    def test_what_is_inside_with_all_layers_is_not(self):
        found = why(entry("int8", 0.4, (0.1, 0.2, 0.3), ALL_INT8), None, HALF)
        assert found == "all layers that gain by it are in INT8 already, inside the budget"

    def test_what_is_inside_with_layers_in_float_may_be_faster_without(self):
        assert why(entry("int8", 0.4, (0.1, 0.2, 0.3), SOME_FLOAT), None, HALF) is None

    def test_more_layers_in_float_make_nothing_faster(self):
        best = entry("other", 0.2, (0.0, 0.1, 0.2))
        found = why(entry("int8", 0.4, (1.0, 2.0, 3.0), ALL_INT8), best, HALF)
        assert found == "even with all layers in INT8 it is slower than other"

    def test_fewer_layers_in_float_make_it_faster_up_to_a_point(self):
        far, near = entry("far", 0.2, (0.0, 0.1, 0.2)), entry("near", 0.3, (0.0, 0.1, 0.2))
        base = entry("int8", 0.4, (0.1, 0.2, 0.3), SOME_FLOAT)
        assert why(base, far, HALF) == "even with all layers in INT8 it is slower than far"
        assert why(base, near, HALF) is None

    def test_where_float_is_faster(self):
        base = entry("int8", 1.0, (0.0, 0.0, 0.0), ALL_INT8, took_fp32=True)
        assert why(base, FLOAT, HALF) == "float is faster than INT8 in all layers"

    def test_what_costs_nothing_has_nothing_to_trade(self):
        base = entry("int8", 0.4, (-0.5, 0.6, 1.7), ALL_INT8)
        assert why(base, FLOAT, HALF, 0.04) == (
            "INT8 is estimated to lose 0.04 points only, by calibration images"
        )
        assert why(base, FLOAT, HALF, 0.06) is None
        assert why(base, FLOAT, Budget(drop=0.0), 0.06) is None
        assert why(base, FLOAT, Budget(drop=0.0), 0.04) is not None

    def test_without_a_limit_of_the_drop(self):
        base = entry("int8", 0.4, (0.5, 1.0, 1.5), ALL_INT8)
        assert why(base, base, Budget(ms=1.0)) is None
        assert why(base, FLOAT, Budget(ms=2.0)) == "float is inside the budget and loses nothing"


class TestWhichToMake:
    POINTS = tuple(
        replace(ALL_INT8, slowdown=slowdown, error=error)
        for slowdown, error in ((0.3, 0.5), (0.5, 0.02), (0.9, 0.001))
    )

    def made(self, best, budget, most=2.0):
        return worth_making(self.POINTS, 1.0, best, budget, most, lambda error: 10 * error)

    def test_estimated_to_lose_more_than_images_leave_open(self):
        assert self.made(FLOAT.figures, HALF) == [1, 2]
        assert self.made(FLOAT.figures, HALF, 5.0) == [0, 1, 2]

    def test_estimated_to_be_slower_than_what_is_inside(self):
        best = entry("other", 0.6, (0.0, 0.1, 0.2)).figures
        assert self.made(best, HALF) == [1]

    def test_without_a_limit_of_the_drop_all(self):
        assert self.made(None, Budget(ms=1.0)) == [0, 1, 2]

    def test_what_images_leave_open_is_half_the_interval(self):
        time = Interval(1.0, 0.9, 1.1)
        known = Figures("x", time, time, 1.0, Interval(0.3, -0.5, 0.9))
        assert most_lost(known, HALF) == pytest.approx(1.2)
        assert most_lost(replace(known, drop=NO_DROP), HALF) == 0.5
        assert most_lost(known, Budget(ms=1.0)) == float("inf")
