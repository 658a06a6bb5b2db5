"""What an evaluation takes an image, beside inference and reading alone; shown with ``pytest -s``."""

from __future__ import annotations

from statistics import median

import pytest

from fixtures.matrix import Workshop
from fqbench.cells import Cell

LIMIT = 1.1
"""Of the time of inference and reading one after the other: what must not be exceeded."""


def test_images_are_read_beside_the_inference(
    cell: Cell, workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    found = workshop.pipeline(cell.model).pace(cell)
    evaluation, inference, reading = (
        1e3 * median(found[part]) for part in ("evaluation", "inference", "reading")
    )
    with capsys.disabled():
        print(
            f"\n{cell.id}: {evaluation:.2f} ms an image, inference alone {inference:.2f} ms,"
            f" reading alone {reading:.2f} ms, ratio to inference {evaluation / inference:.2f}"
        )
    rounds = zip(found["evaluation"], found["inference"], found["reading"], strict=True)
    assert min(whole / (run + read) for whole, run, read in rounds) <= LIMIT
