"""How far outputs of a rewritten model may be from those of its source."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fqbench.verify.difference import EXACT, ROUNDED, off, share_of_different, typically_off, worst

ROWS = np.array([[0.0, 2.0, 4.0, 6.0], [0.0, 200.0, 400.0, 600.0]], np.float32)


def judged(wanted, found, **options):
    return worst(["y"], [[np.asarray(wanted)]], [[np.asarray(found)]], **options)


@pytest.mark.parametrize("changed", [[1.0, 3.0, 5.0, 7.0], [0.0, 2.0, 4.0, 8.0]])
def test_off_is_that_of_the_worst_slice(changed):
    """0, 2, 4, 6 deviates by the root of 5, beside 200 times as much, and is 1 off."""
    found = ROWS.copy()
    found[0] = changed
    assert off(ROWS, found) == pytest.approx(1 / math.sqrt(5))


def test_a_constant_is_judged_by_a_hundredth_of_its_size():
    assert off(np.full(8, 100.0), np.full(8, 100.001)) == pytest.approx(1e-3, rel=1e-3)


def test_a_dead_channel_is_judged_by_the_others():
    values = np.random.default_rng(0).normal(0, 1, (3, 8, 16)).astype(np.float32)
    values[:, 2] = 0.0
    found = values.copy()
    found[0, 2, 3] = 1e-5
    assert 0.0 < off(values, found) < EXACT.most


def test_probabilities_near_zero_may_differ_by_what_float32_rounds():
    values = np.full((1, 4, 64), 1e-7, np.float32)
    values[0, 0] = np.linspace(0, 1, 64)
    assert off(values, values + np.float32(3e-8)) < EXACT.most


def test_what_float32_s_sigmoid_rounds_is_no_difference_however_small_everything_is():
    """A detector that sees nothing, and a class that no image shows."""
    values = np.full((1, 4, 64), 1e-6, np.float32)
    values[0, 0] = np.linspace(0, 1e-5, 64)
    assert off(values, values + np.float32(4e-7)) == 0.0
    assert off(values, values + np.float32(6e-7)) > EXACT.most


def test_what_should_stay_zero_is_infinitely_off():
    assert off(np.zeros(4), np.ones(4)) == math.inf
    assert judged(np.zeros(4, "f4"), np.ones(4, "f4")).text == "output 'y' is not constant"


@given(
    arrays.arrays(np.float32, (3, 4, 5), elements=st.integers(-100, 100).map(np.float32)),
    st.integers(1, 6),
)
def test_off_has_no_unit(values, power):
    values[0, 0, :2] = 0, 100  # what is at most 1 has a least unit of its own
    found = values + np.linspace(0, 1, values.size, dtype=np.float32).reshape(values.shape)
    assert off(values, values) == 0.0
    assert off(values * 2**power, found * 2**power) == pytest.approx(off(values, found), rel=1e-3)


def test_difference_says_how_far_off():
    found = judged(np.arange(100, dtype="f4"), np.arange(100, dtype="f4") * 1.21)
    assert found.text == "output 'y' is off by 42 % of its deviation"


@pytest.mark.parametrize(
    ("wanted", "found", "text"),
    [
        ([[1.0, 2.0]], [1.0, 2.0], r"output 'y' has shape [2] instead of [1, 2]"),
        ([np.inf, 1.0], [1.0, 1.0], "output 'y' is infinite or NaN elsewhere"),
        ([1.0, 1.0], [np.nan, 1.0], "output 'y' is infinite or NaN elsewhere"),
        ([np.inf, 1.0], [-np.inf, 1.0], "output 'y' is infinite or NaN elsewhere"),
    ],
)
def test_other_shapes_and_other_numbers_are_refused(wanted, found, text):
    assert judged(np.float32(wanted), np.float32(found)).text == text


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_in_both_is_equal(value):
    values = np.array([value, 1.0, 2.0], np.float32)
    assert judged(values, values.copy()) is None


def test_a_scalar_may_have_an_axis():
    assert judged(np.float32(1.0), np.float32([1.0])) is None


def test_integers_are_equal_or_not():
    labels = np.arange(100)
    assert judged(labels, labels) is None
    assert judged(labels, labels.astype(np.int32)) is None
    changed = np.where(labels < 1, 7, labels)
    assert judged(labels, changed).text == "0.01 of the values of output 'y' differ"


def test_of_an_output_that_jumps_a_few_values_may_differ():
    labels = np.arange(100)
    assert judged(labels, np.where(labels < 5, 7, labels), jumping={"y"}) is None
    assert judged(labels, np.where(labels < 6, 7, labels), jumping={"y"}) is not None


def test_share_of_different_floats_counts_those_that_are_a_hundredth_of_the_deviation_off():
    values = np.array([0.0, 0.0, 2.0, 2.0], np.float32)
    assert share_of_different(values, values + np.float32([0.0, 0.009, 0.0, 0.011])) == 0.25


def test_of_rows_the_column_that_differs_most_counts():
    """Labels of boxes: all differ by less than a hundredth of what coordinates vary by."""
    boxes = np.random.default_rng(0).uniform(0, 640, (1, 300, 6)).astype(np.float32)
    boxes[..., 5] = np.arange(300) % 80
    found = boxes.copy()
    found[..., 5] = (boxes[..., 5] + 1) % 80
    assert judged(boxes, boxes, jumping={"y"}) is None
    assert judged(boxes, found, jumping={"y"}).off == 1.0


def table(*places):
    """Sixty rows of a box, a score and a label, the ones of ``places`` exchanged; scores stay."""
    random = np.random.default_rng(0)
    rows = np.concatenate([random.uniform(0, 100, (60, 4)), random.integers(0, 9, (60, 1))], axis=1)
    for one, other in places:
        rows[[one, other]] = rows[[other, one]]
    scores = np.linspace(0.95, 0.9, 60)[:, None]
    return np.hstack([rows[:, :4], scores, rows[:, 4:]]).astype(np.float32)[None]


EXCHANGED = [(place, place + 1) for place in range(0, 60, 2)]


def test_rows_in_order_may_change_places_where_scores_are_almost_equal():
    wanted, found = table(), table(*EXCHANGED)
    found[..., 4], wanted[..., 4] = 0.9, 0.9
    assert judged(wanted, found, jumping={"y"}).off == 1.0
    assert judged(wanted, found, jumping={"y"}, ordered={"y"}) is None
    assert judged(wanted, found[:, ::-1], jumping={"y"}, ordered={"y"}) is None
    labels = np.arange(60)[None]
    assert judged(labels, labels[:, ::-1], jumping={"y"}, ordered={"y"}) is not None


def test_rows_in_order_are_to_be_the_same_rows():
    wanted, found = table(), table()
    found[0, :3, 0] += 5
    assert judged(wanted, found, jumping={"y"}, ordered={"y"}) is None
    found[0, :4, 0] += 5
    assert judged(wanted, found, jumping={"y"}, ordered={"y"}).off == pytest.approx(4 / 60)


def test_rows_in_order_are_to_be_in_this_order():
    wanted = table()
    assert judged(wanted, wanted[:, ::-1], jumping={"y"}, ordered={"y"}).off == 1.0


def test_the_worst_output_is_named():
    wanted = [[np.arange(9.0), np.arange(9.0)]]
    found = [[np.arange(9.0) * 1.1, np.arange(9.0) * 2]]
    assert worst(["a", "b"], wanted, found).output == "b"


def test_what_rounds_is_judged_by_its_typical_slice():
    values = np.random.default_rng(0).normal(0, 1, (1, 9, 100)).astype(np.float32)
    found = values.copy()
    found[0, 3] *= 1.5
    assert off(values, found) == pytest.approx(0.5, rel=0.05)
    assert typically_off(values, found) == pytest.approx(0.5 / 3, rel=0.1)
    found = (values * 1.2).astype(np.float32)
    assert judged(values, found) is not None
    assert judged(values, found, bound=ROUNDED) is None
