"""What an evaluation takes an image, beside each of its parts alone.

Reading an image (from its file to a tensor), inference and decoding its outputs run at the same
time. With ONNX Runtime each part alone already takes all cores, so the whole is their sum; with
Paddle Inference reading and decoding hide behind the inference.
"""

from __future__ import annotations

from dataclasses import asdict
from statistics import median

import pytest

from fqbench.cells import Cell
from fqbench.pytest_plugin.matrix import MatrixUnderTest

LIMIT = 1.25
"""Of the parts' times one after the other; the best round counts."""


def test_parts_of_an_evaluation_run_side_by_side(
    cell: Cell, matrix_under_test: MatrixUnderTest, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asdict(matrix_under_test.pipeline(cell.model).evaluation_profile(cell))
    times = {part: 1e3 * median(rounds) for part, rounds in found.items()}
    with capsys.disabled():
        parts = ", ".join(f"{part} {value:.2f}" for part, value in times.items())
        ratio = times["evaluation"] / times["inference"]
        print(f"\n{cell.id}: ms an image: {parts}; evaluation / inference {ratio:.2f}")
    whole = found.pop("evaluation")
    assert (
        min(total / sum(parts) for total, *parts in zip(whole, *found.values(), strict=True))
        <= LIMIT
    )
