"""A negative drop is a gain in every sentence."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.gate.verdict import describe_loss
from fqbench.measure.drop import magnitude, with_interval, word
from fqbench.measure.margin import sentence
from fqbench.measure.stats import Interval

GAIN = Interval(-0.71, -1.55, 0.13)


def test_a_negative_drop_is_a_gain_with_its_interval_turned():
    assert (word(-0.71), word(0.71), word(0.0)) == ("gain", "drop", "drop")
    assert magnitude(GAIN) == Interval(0.71, -0.13, 1.55)
    assert with_interval(GAIN) == "0.71 (-0.13 to 1.55)"
    assert with_interval(Interval(0.5, -0.12, 1.0)) == "0.50 (-0.12 to 1.00)"


def test_nothing_is_called_a_gain_that_is_shown_as_nothing():
    assert (word(-0.004), with_interval(Interval(-0.004, -0.004, 0.01))) == (
        "drop",
        "0.00 (0.00 to 0.01)",
    )


ENDS = st.floats(-100, 100)


@settings(deadline=None)
@given(ENDS, ENDS, ENDS)
def test_what_is_shown_is_never_negative_and_keeps_its_order(one, two, three):
    low, value, high = sorted((one, two, three))
    size = magnitude(Interval(value, low, high))
    assert size.low <= size.value <= size.high
    assert size.value >= 0
    assert math.copysign(1, size.value) == 1


@pytest.mark.parametrize(
    ("drop", "margin", "text"),
    [
        (
            GAIN,
            1.0,
            "INT8 gains 0.71 points (95 % interval -0.13 to 1.55), inside of its margin of 1",
        ),
        (
            Interval(-0.5, -4.0, 3.0),
            2.0,
            "INT8 gains 0.50 points (95 % interval -3.00 to 4.00); it may lose more than its margin"
            " of 2: about 980 images instead of 500 would tell, were the gain the same",
        ),
    ],
)
def test_the_sentence_of_a_margin_says_what_was_gained(drop, margin, text):
    assert sentence(drop, margin, 500) == text


def test_the_gate_says_what_was_gained():
    assert describe_loss(Interval(0.3, 0.1, 0.5)) == "lost 0.30 points (0.10 to 0.50)"
    assert describe_loss(Interval(-0.3, -0.5, -0.1)) == "gained 0.30 points (0.10 to 0.50)"
