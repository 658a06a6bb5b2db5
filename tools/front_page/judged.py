"""Which float is the best, which cells keep the margin, and which of these is the fastest.

Pure functions of the rows of one model on one device.
"""

from __future__ import annotations

from collections.abc import Sequence

from fqbench.backends import unversioned
from tools.front_page.runs import Row


def margin(rows: Sequence[Row], row: Row) -> float | None:
    """Points that ``row`` may lose: its own margin, else the strictest that the model has."""
    if row.margin is not None:
        return row.margin
    return min((each.margin for each in rows if each.margin is not None), default=None)


def keeps(rows: Sequence[Row], row: Row) -> bool:
    """Whether ``row`` loses no more than its margin, as measured. FP32 loses nothing."""
    if row.is_baseline:
        return row.latency_ms is not None
    allowed = margin(rows, row)
    if row.latency_ms is None or row.drop is None or row.needs is not None or allowed is None:
        return False
    return row.drop.value <= allowed


def is_sure(rows: Sequence[Row], row: Row) -> bool:
    """Whether the drop's whole interval is on one side of the margin."""
    allowed = margin(rows, row)
    if row.drop is None or allowed is None:
        return True
    low, high = row.drop.ci95
    return high <= allowed or low > allowed


def best_float(rows: Sequence[Row]) -> Row | None:
    """The fastest of any runtime and float precision that keeps the margin.

    Where accuracy is not known, the fastest. Versions of a runtime beside itself do not count.
    """
    judged = any(row.drop is not None and row.needs is None for row in rows)
    floats = [
        row
        for row in rows
        if row.is_float
        and row.latency_ms is not None
        and row.backend == unversioned(row.backend)
        and (not judged or keeps(rows, row))
    ]
    return min(floats, key=_ms, default=None)


def winner(rows: Sequence[Row]) -> Row | None:
    """The fastest that keeps the margin; None where accuracy is not known.

    INT8 that is FP32, since that is faster, is none of its own.
    """
    if not any(row.drop is not None and row.needs is None for row in rows):
        return None
    own = (row for row in rows if row.slowdown is None and keeps(rows, row))
    return min(own, key=_ms, default=None)


def times_as_fast(row: Row, best: Row | None) -> float | None:
    """How many times as fast as ``best`` a row is, by their medians."""
    if row.latency_ms is None or best is None or best.latency_ms is None:
        return None
    return best.latency_ms.p50 / row.latency_ms.p50


def _ms(row: Row) -> float:
    assert row.latency_ms is not None
    return row.latency_ms.p50
