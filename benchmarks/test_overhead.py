"""What fqbench's own measuring adds to the runtime's call; shown with ``pytest -s``."""

from __future__ import annotations

import pytest

from fqbench.backends import backend
from fqbench.cells import Cell
from fqbench.measure import stats
from fqbench.pytest_plugin.matrix import MatrixUnderTest

LIMIT = 1.02
"""A cell's median may be 2 % above that of a bare loop."""


def test_median_is_that_of_a_bare_loop(
    cell: Cell, matrix_under_test: MatrixUnderTest, capsys: pytest.CaptureFixture[str]
) -> None:
    if backend(cell.backend).bare_call is None:
        pytest.skip(f"{backend(cell.backend).label} has no call shorter than what is measured")
    times = matrix_under_test.pipeline(cell.model).overhead(cell)
    ratio = stats.ratio([times.fqbench], [times.bare])
    bare = stats.latency([times.bare]).p50.value
    with capsys.disabled():
        print(
            f"\n{cell.id}: bare {bare:.3f} ms, as measured {100 * (ratio.value - 1):+.2f} %"
            f" ({100 * (ratio.low - 1):+.2f} to {100 * (ratio.high - 1):+.2f})"
        )
    assert ratio.low <= LIMIT
