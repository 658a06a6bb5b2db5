"""Times by run as a picture: coordinates and axes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.measure.stats import Interval
from fqbench.report.html.datatable import table
from fqbench.report.html.series import (
    FRAME,
    MOST_TICKS,
    Measured,
    TimePlot,
    log_ticks,
    plain,
    ticks,
    time_plot,
)


def measured(run: int, ms: float) -> Measured:
    return Measured(run, Interval(ms, 0.99 * ms, 1.01 * ms), f"run {run}")


def plot(*times: float, changes: tuple[tuple[int, str], ...] = ()) -> TimePlot:
    runs = [measured(number, ms) for number, ms in enumerate(times, start=1)]
    return time_plot("net", "about", runs, changes, table("numbers", ("ms",), [("1",)]))


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((1.98, 2.31), (2.0, 2.1, 2.2, 2.3)),
        ((1.0, 10_000.0), (2000.0, 4000.0, 6000.0, 8000.0, 10_000.0)),
        ((0.0012, 0.0013), (0.0012, 0.00125, 0.0013)),
        ((5.0, 5.0), (5.0,)),
    ],
)
def test_ticks_are_round(ends: tuple[float, float], expected: tuple[float, ...]) -> None:
    assert ticks(*ends) == expected


@pytest.mark.parametrize(
    ("ends", "expected"),
    [((0.9, 12.0), (1.0, 2.0, 5.0, 10.0)), ((0.01, 100.0), (0.01, 0.1, 1.0, 10.0, 100.0))],
)
def test_ticks_of_a_logarithmic_axis(
    ends: tuple[float, float], expected: tuple[float, ...]
) -> None:
    assert log_ticks(*ends) == expected


@settings(deadline=None)
@given(st.floats(1e-4, 1e5), st.floats(1e-6, 1e6))
def test_ticks_lie_between_the_ends_and_are_few(low: float, width: float) -> None:
    found = ticks(low, low + width)
    assert 1 <= len(found) <= MOST_TICKS
    slack = 1e-8 * (low + width)
    assert all(low - slack <= each <= low + width + slack for each in found)


def test_numbers_of_axes_have_no_exponent() -> None:
    assert [plain(each) for each in (0.001, 1e6, -0.0, 2.5)] == ["0.001", "1000000", "0", "2.5"]


def test_what_takes_longer_stands_higher_and_later_runs_to_the_right() -> None:
    first, second = plot(1.0, 2.0).dots
    assert first.x < second.x
    assert first.y > second.y
    assert first.high < first.y < first.low
    assert [(dot.x, dot.y, dot.low, dot.high) for dot in (first, second)] == [
        (71.9, 209.1, 210.7, 207.5),
        (392.1, 46.5, 49.8, 43.3),
    ]


@settings(deadline=None)
@given(st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=30))
def test_everything_is_in_the_frame(times: list[float]) -> None:
    found = plot(*times, changes=((len(times), "+1 %"),))
    for dot in found.dots:
        assert FRAME.left <= dot.x <= FRAME.right
        assert FRAME.top <= dot.high <= dot.y <= dot.low <= FRAME.bottom
    assert all(FRAME.left <= tick.at <= FRAME.right for tick in found.runs)
    assert all(math.isfinite(tick.at) for tick in found.times)


def test_one_run_stands_in_the_middle() -> None:
    (dot,) = plot(2.0).dots
    assert dot.x == (FRAME.left + FRAME.right) / 2


def test_notes_of_changes_stay_in_the_picture_and_apart() -> None:
    found = plot(*[2.0] * 20, changes=((3, "+10.0 %"), (5, "-9.1 %"), (20, "+5.0 %")))
    first, second, last = found.changes
    assert (first.ends, second.ends, last.ends) == (False, False, True)
    assert first.y != second.y
