"""INT8 is accurate: within its documented margin of FP32, on the same images, in the same run.

Passed: the drop's whole interval is inside of the margin. Failed: it is outside. Where the images
cannot tell, the test is an expected failure (``xfailed``) whose reason says how many would.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fqbench.cells import Cell
from fqbench.measure.margin import sentence, standing
from fqbench.measure.stats import Interval
from fqbench.pytest_plugin.matrix import MatrixUnderTest, Pair

CHANCE = 2.0
"""Accuracy in points of any FP32 model that works at all: far above guessing."""


def test_int8_accuracy_is_within_its_margin(
    pair: Pair,
    matrix_under_test: MatrixUnderTest,
    accuracy: Callable[[Cell], float],
    drop: Callable[[Pair], Interval],
) -> None:
    margin = matrix_under_test.margin(pair.int8)
    if margin is None:
        pytest.fail(
            f"no margin is documented for {pair.int8.id}: add one to the model's spec,"
            " with its source and reason, or for a model of fqbench's to conformance/margins.yaml"
        )
    assert accuracy(pair.fp32) > CHANCE
    lost = drop(pair)
    images = len(matrix_under_test.pipeline(pair.int8.model).images.data.samples)
    found = sentence(lost, margin.drop, images)
    judged = standing(lost, margin.drop)
    if judged == "outside":
        pytest.fail(f"{found} ({margin.source}: {margin.reason})")
    if judged == "not known":
        # Nothing is proven against INT8, and nothing for it: neither failed nor passed.
        pytest.xfail(found)
