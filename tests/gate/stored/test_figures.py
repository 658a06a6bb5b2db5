"""Runs apart: the arithmetic of their differences, in literal numbers."""

import math

import numpy as np
import pytest

from fqbench.gate.stored import figures
from fqbench.gate.stored.figures import Change, Figures, RunSpread


def runs_of(*values: float, error: float = 0.0) -> Figures:
    return Figures(tuple(math.log(value) for value in values), error)


DEFAULT = RunSpread(0.02, 7)


def test_one_run_each_has_the_default_spread_twice():
    found = figures.change(runs_of(10.0), runs_of(11.0), DEFAULT)
    assert math.exp(found.log) == pytest.approx(1.1)
    assert found.error == pytest.approx(0.02 * math.sqrt(2))
    assert found.degrees == 7
    # Student's t of 7 degrees: 2.3646 for 95 %.
    assert found.factor.low == pytest.approx(1.1 * math.exp(-2.3646 * 0.0282843), rel=1e-4)
    assert found.factor.high == pytest.approx(1.1 * math.exp(2.3646 * 0.0282843), rel=1e-4)


def test_five_runs_tell_their_own_spread():
    base = Figures((0.0, 0.1, 0.2, 0.3, 0.4))
    found = figures.change(base, Figures((0.2,)), DEFAULT)
    assert found.log == pytest.approx(0)
    assert found.error == pytest.approx(math.sqrt(0.025) * math.sqrt(1 / 5 + 1))
    assert found.degrees == 4


def test_four_runs_do_not():
    found = figures.change(Figures((0.0, 0.1, 0.2, 0.3)), Figures((0.2,)), DEFAULT)
    assert found.error == pytest.approx(0.02 * math.sqrt(1 / 4 + 1))
    assert found.degrees == 7


def test_runs_less_certain_than_the_spread_count_by_their_own_errors():
    found = figures.change(runs_of(1.0, error=0.3), runs_of(1.0, error=0.4), DEFAULT)
    assert found.error == pytest.approx(0.5)


def test_figure_of_several_runs_is_their_geometric_mean():
    assert runs_of(1.0, 4.0).mean == pytest.approx(2.0)


def test_p_values_of_either_direction():
    found = Change(math.log(1.02), 0.01, 10)
    assert found.p_above(0.02) == pytest.approx(0.5)
    assert found.p_below(0.0) > 0.95
    assert Change(-math.log(1.02), 0.01, 10).p_below(0.02) == pytest.approx(0.5)


def test_visible_is_what_just_becomes_significant():
    seen = Change(0.0, 0.02, 7).visible(0.02, alpha=0.001)
    assert Change(math.log1p(seen), 0.02, 7).p_above(0.02) == pytest.approx(0.001)


@pytest.mark.parametrize(("log", "p"), [(0.1, 0.0), (0.0, 1.0)])
def test_without_any_error_the_value_alone_decides(log, p):
    assert Change(log, 0.0, 4).p_above(0.02) == p


def test_false_alarms_are_as_rare_as_promised():
    """Identical code on a machine as noisy as its baseline's five runs show."""
    random = np.random.default_rng(0)
    runs = random.normal(0, 0.03, (4000, 6))
    alarms = [
        figures.change(Figures(tuple(run[:5])), Figures((run[5],)), DEFAULT).p_above(0.0) < 0.01
        for run in runs
    ]
    assert np.mean(alarms) == pytest.approx(0.01, abs=0.005)
