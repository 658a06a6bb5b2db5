"""Versions of one backend beside each other: whether the newer one makes a model worse."""

from __future__ import annotations

from collections.abc import Sequence

from fqbench.backends import label_of
from fqbench.backends.registry import VERSION
from fqbench.report.table import NOTHING, interval, made_label
from fqbench.results import Row

TITLE = "Versions beside each other"
COLUMNS = ("Model", "Precision", "Version", "ms", "Beside", "Times as fast", "Points less")
MEANING = (
    "Versions ran the same files and were timed in turns. In brackets: 95 % confidence intervals;"
    " points less from a paired bootstrap over the same images."
)


def lines(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    """One line per cell that has another version beside it."""
    return tuple(
        (
            row.cell.model,
            made_label(row.cell),
            label_of(row.cell.backend),
            NOTHING if row.latency is None else f"{row.latency.p50.value:.2f}",
            row.beside.other.backend.partition(VERSION)[2] or label_of(row.beside.other.backend),
            interval(row.beside.ratio),
            interval(row.beside.drop),
        )
        for row in rows
        if row.beside is not None
    )
