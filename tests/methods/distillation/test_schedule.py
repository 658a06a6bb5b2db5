"""When a training does what: rates, batches, and the images held out."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.methods.distillation.schedule import batch, is_held_out, rate
from fqbench.spec.quantization import LearningRate

COUNTS = st.integers(1, 60)


@pytest.mark.parametrize(
    ("iteration", "expected"),
    [(0, 4e-4), (50, 3.414214e-4), (100, 2e-4), (150, 0.585786e-4), (200, 0.0), (399, 0.0)],
)
def test_a_rate_falls_along_half_a_cosine(iteration, expected):
    settings = LearningRate(kind="cosine", rate=4e-4, t_max=200)
    assert rate(settings, iteration, 400) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_a_cosine_takes_all_iterations_by_default():
    settings = LearningRate(rate=0.2)
    assert [rate(settings, i, 4) for i in (0, 2, 4)] == pytest.approx([0.2, 0.1, 0.0])


def test_a_constant_rate_stays():
    settings = LearningRate(kind="constant", rate=0.25)
    assert {rate(settings, i, 10) for i in range(10)} == {0.25}


@given(COUNTS, COUNTS, st.integers(0, 20))
def test_images_are_taken_equally_often(images, size, turns):
    taken = [number for i in range(turns) for number in batch(i, images, size)]
    assert len(taken) == turns * size
    whole = Counter(taken[: len(taken) // images * images])
    assert set(whole.values()) <= {len(taken) // images}


def test_the_order_is_another_in_each_turn_and_the_same_in_each_training():
    first, second = batch(0, 64, 64), batch(1, 64, 64)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(64))
    assert first == batch(0, 64, 64) != list(range(64))


@pytest.mark.parametrize(
    ("images", "held"), [(8, 4), (12, 4), (16, 4), (32, 4), (40, 5), (128, 16), (1000, 125)]
)
def test_an_eighth_is_held_out_and_at_least_four(images, held):
    assert sum(is_held_out(number, images) for number in range(images)) == held
