"""INT8 is accurate: within its documented margin of FP32, on the same images, in the same run.

Passed: the drop's whole interval is inside of the margin. Failed: it is outside. Where the images
cannot tell, the test is an expected failure (``xfailed``) whose reason says how many would.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.matrix import Pair, Workshop
from fqbench.cells import Cell
from fqbench.margins import Margins
from fqbench.measure.margin import sentence, standing
from fqbench.pipeline.model import Answers

Answer = Callable[[Cell], Answers]

CHANCE = 2.0
"""Accuracy in points of any FP32 model that works at all: far above guessing."""


def test_int8_accuracy_is_within_its_margin(
    pair: Pair, workshop: Workshop, answered: Answer, margins: Margins
) -> None:
    pipeline = workshop.pipeline(pair.int8.model)
    margin = margins.for_cell(pipeline.spec, pair.int8.backend, pipeline.method)
    if margin is None:
        pytest.fail(
            f"no margin is documented for {pair.int8.id}: add one to conformance/margins.yaml or"
            " to the model's spec, with its source and reason"
        )
    fp32, int8 = answered(pair.fp32), answered(pair.int8)
    assert pipeline.accuracy(fp32) > CHANCE
    lost = pipeline.drop(fp32, int8)
    found = sentence(lost, margin.drop, len(pipeline.images.data.samples))
    judged = standing(lost, margin.drop)
    if judged == "outside":
        pytest.fail(f"{found} ({margin.source}: {margin.reason})")
    if judged == "not known":
        # Nothing is proven against INT8, and nothing for it: neither failed nor passed.
        pytest.xfail(found)
