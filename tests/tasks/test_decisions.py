"""Decisions at thresholds, pairs of things, F1 and shifts of scores, by literal numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.tasks.decisions import (
    Decisions,
    Paired,
    at,
    best_threshold,
    f1,
    paired,
    points,
    shift,
)
from fqbench.tasks.examination import OperatingPoint, Shift


def decisions(scores: list[float], right: list[bool] | None = None, wanted: int = 0) -> Decisions:
    if right is None:
        return Decisions(np.array(scores))
    return Decisions(
        np.array(scores), np.array(right, np.bool_), np.ones(len(scores), np.bool_), wanted
    )


def image(fp32: Decisions, int8: Decisions, *same: tuple[int, int]) -> Paired:
    first, second = ([pair[side] for pair in same] for side in (0, 1))
    return Paired(fp32, int8, (np.array(first, np.intp), np.array(second, np.intp)))


def test_the_surest_thing_chooses_first() -> None:
    likeness = np.array([[0.9, 0.6], [0.95, 0.0], [0.0, 0.4]])
    first, second = paired(likeness, np.array([0.8, 0.9, 0.7]))
    assert first.tolist() == [1, 0]
    assert second.tolist() == [0, 1]
    assert likeness[0, 0] == 0.9


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)])
def test_nothing_has_no_pairs(shape: tuple[int, int]) -> None:
    assert [side.tolist() for side in paired(np.zeros(shape), np.ones(shape[0]))] == [[], []]


IMAGES = (
    # The first falls below 0.5, the second is lost whole, the third rises above 0.25.
    image(
        decisions([0.85, 0.6, 0.2], [True, True, False], 2),
        decisions([0.45, 0.3, 0.7], [True, False, True], 2),
        (0, 0),
        (2, 1),
    ),
    image(decisions([0.5], [False], 1), decisions([0.5], [False], 1), (0, 0)),
)


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        # Kept at 0.25: 0.85 and 0.5. Lost: 0.6. Gained: what was 0.2, and what is new.
        (0.25, (2, 1, 2, 1, 1)),
        # At 0.5, 0.85 is lost too, and only what is new is gained.
        (0.5, (1, 2, 1, 2, 1)),
        (0.9, (0, 0, 0, 0, 0)),
        # What has a score of 0.5 is taken at 0.5, and everything where there is no threshold.
        (None, (3, 1, 1, 1, 1)),
    ],
)
def test_flips(threshold: float | None, expected: tuple[int, ...]) -> None:
    assert at("here", threshold, IMAGES) == OperatingPoint("here", threshold, *expected)


def test_flips_without_labels() -> None:
    found = at("here", 0.5, [image(decisions([0.6]), decisions([0.4]), (0, 0))])
    assert found == OperatingPoint("here", 0.5, 0, 1, 0, None, None)


def test_the_threshold_of_fp32_stands_among_the_others() -> None:
    assert [point.threshold for point in points(IMAGES, 0.3)] == [0.25, 0.3, 0.5]
    assert [point.name for point in points(IMAGES)] == ["score 0.25", "score 0.50"]


def test_shift_is_of_what_both_found() -> None:
    found = shift(IMAGES)
    assert found is not None
    assert (found.pairs, found.image) == (2, 0)
    assert found.worst == (0.85, 0.45)
    assert found.mean == pytest.approx(-0.2)
    assert found.mean_absolute == pytest.approx(0.2)


def test_no_shift_without_scores() -> None:
    assert shift([image(decisions([math.nan]), decisions([math.nan]), (0, 0))]) is None
    assert shift([]) is None


def test_worst_shift_is_of_its_image() -> None:
    more = [image(decisions([0.5]), decisions([0.6]), (0, 0)), *IMAGES]
    found = shift(more)
    assert isinstance(found, Shift)
    assert found.image == 1


def test_f1_of_an_image() -> None:
    found = decisions([0.9, 0.6, 0.3], [True, False, True], 4)
    # At 0.5 one of two is right, of four that are there: 2 / (2 + 1 + 3).
    assert f1(found, 0.5) == pytest.approx(2 / 6)
    assert f1(found, 0.3) == pytest.approx(4 / 7)
    assert f1(decisions([0.4], [False], 0), 0.5) == 1.0
    assert f1(decisions([0.6], [False], 0), 0.5) == 0.0


def test_what_does_not_count_is_no_mistake() -> None:
    crowd = Decisions(np.array([0.9]), np.array([False]), np.array([False]), 0)
    assert f1(crowd, 0.5) == 1.0


def test_f1_needs_labels() -> None:
    with pytest.raises(ValueError, match="no labels"):
        f1(decisions([0.4]), 0.5)


def test_best_threshold() -> None:
    # 0.9: 2/4; 0.8: 4/5; 0.5: 4/7 with both of them; so 0.8.
    images = [decisions([0.9, 0.5], [True, False], 2), decisions([0.8, 0.5], [True, False], 1)]
    assert best_threshold(images) == 0.8
    assert best_threshold([decisions([0.9], [False], 1)]) is None
    assert best_threshold([decisions([0.9])]) is None
    assert best_threshold([]) is None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=12),
    st.integers(0, 5),
)
def test_no_threshold_is_better_than_the_best(found: list[tuple[float, bool]], missed: int) -> None:
    scores, right = [score for score, _ in found], [hit for _, hit in found]
    one = decisions(scores, right, sum(right) + missed)
    best = best_threshold([one])
    if not any(right):
        assert best is None
    else:
        assert best is not None
        assert f1(one, best) == pytest.approx(max(f1(one, score) for score in scores))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0, 1))
def test_a_model_keeps_all_of_its_own(scores: list[float], threshold: float) -> None:
    one = decisions(scores)
    same = [(index, index) for index in range(len(scores))]
    found = at("itself", threshold, [image(one, one, *same)])
    assert (found.lost, found.gained) == (0, 0)
    assert found.kept == sum(score >= threshold for score in scores)
