"""Backends agree: the same model on the same images gives the same accuracy on each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fqbench.cells import Cell
from fqbench.pytest_plugin.matrix import MatrixUnderTest, Pair

TOLERANCE = 0.3
"""Points between two backends' FP32 accuracy: rounding moves single images only."""


def test_backends_agree_in_fp32(
    model: str, matrix_under_test: MatrixUnderTest, accuracy: Callable[[Cell], float]
) -> None:
    cells = [
        cell
        for cell in matrix_under_test.cells()
        if cell.model == model and cell.precision == "fp32" and cell.unsupported is None
    ]
    if len(cells) < 2:
        pytest.skip("fewer than two backends of this model run here")
    found = {cell.id: accuracy(cell) for cell in cells}
    assert max(found.values()) - min(found.values()) <= TOLERANCE, found


LEAST_ALIKE = 0.5
"""Cosine of centred outputs below which INT8 has lost its way, not its precision."""


def test_int8_agrees_with_fp32_where_no_label_tells(
    pair: Pair, matrix_under_test: MatrixUnderTest
) -> None:
    pipeline = matrix_under_test.pipeline(pair.int8.model)
    if pipeline.spec.labelled:
        pytest.skip("its accuracy is measured: see test_accuracy.py")
    assert pipeline.agreement(pair.int8).value > LEAST_ALIKE
