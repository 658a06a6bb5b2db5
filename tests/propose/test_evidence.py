"""What trials show beyond chance: literal numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.propose.evidence import Outcome, answers_images, beats, better, chance
from fqbench.tasks.detection.recognition import best_scores


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


@pytest.mark.parametrize(
    ("wins", "losses", "expected"),
    [(0, 0, 1.0), (1, 0, 0.5), (7, 0, 1 / 128), (3, 1, 5 / 16), (1, 1, 0.75), (0, 2, 1.0)],
)
def test_the_chance_of_as_many_wins(wins: int, losses: int, expected: float) -> None:
    one = scores(*[1.0] * wins, *[0.0] * losses, 5.0)
    other = scores(*[0.0] * wins, *[1.0] * losses, 5.0)
    assert chance(one, other) == expected


@settings(deadline=None)
@given(st.lists(st.integers(-1, 1), max_size=40))
def test_one_of_both_directions_is_no_surprise(signs: list[int]) -> None:
    one, other = np.array(signs, float), np.zeros(len(signs))
    assert chance(one, other) + chance(other, one) >= 1.0


def outcome(*values: float, others: tuple[float, ...] | None = None) -> Outcome:
    each = scores(*values)
    moved = None if others is None else scores(*others)
    return Outcome(points=float(each.mean()), each=each, others=moved, images=len(each))


def test_seven_images_without_a_loss_show_it_and_six_do_not() -> None:
    assert beats(outcome(*[100.0] * 7), outcome(*[0.0] * 7))
    assert not beats(outcome(*[100.0] * 6), outcome(*[0.0] * 6))


def test_answers_that_fit_any_image_show_nothing() -> None:
    assert answers_images(outcome(*[100.0] * 8, others=(0.0,) * 8))
    assert not answers_images(outcome(*[100.0] * 8, others=(100.0,) * 8))
    assert not answers_images(outcome(*[100.0] * 8))


def test_what_failed_is_beaten_and_beats_nothing() -> None:
    failed = Outcome(failure="no such shape")
    assert beats(outcome(1.0), failed)
    assert not beats(failed, outcome(1.0))
    assert failed.value < 0


def test_without_labels_only_a_clear_difference_changes_a_choice() -> None:
    usual = Outcome(confidence=1.0)
    assert not better(Outcome(confidence=2.9), usual)
    assert better(Outcome(confidence=3.1), usual)
    assert not better(Outcome(confidence=0.0), Outcome(confidence=0.0))


def test_with_labels_any_difference_does_unless_the_old_one_is_usual() -> None:
    assert better(outcome(50.1), outcome(50.0))
    assert not better(outcome(50.1), outcome(50.0), rivals=1)
    # By chance in one of 16 cases, and so one of two rivals in one of eight.
    assert better(outcome(*[1.0] * 4), outcome(*[0.0] * 4), rivals=1)
    assert not better(outcome(*[1.0] * 4), outcome(*[0.0] * 4), rivals=2)
    assert not better(outcome(50.0), outcome(50.0))
    assert not better(outcome(0.0), outcome(0.0))


def test_a_detector_that_finds_something_everywhere_is_not_more_decided() -> None:
    right = [SimpleNamespace(scores=np.array([0.875, 0.5])), SimpleNamespace(scores=np.array([]))]
    everywhere = [SimpleNamespace(scores=np.full(300, 0.9375)) for _ in range(2)]
    assert best_scores([], right) == 0.4375
    assert best_scores([], everywhere) == 0.9375
    assert best_scores([], []) == 0.0
