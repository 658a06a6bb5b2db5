"""Where another method is ahead of fqbench's own: faster on a runtime, and no less accurate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fqbench.backends import label_of
from fqbench.methods import DEFAULT
from fqbench.report.table import method_label
from tools.front_page.front import escaped, milliseconds
from tools.front_page.runs import Row, by_model


def sentences(rows: Sequence[Row]) -> Iterator[str]:
    """One for each row that is ahead of fqbench's own of its model, runtime and device."""
    for of_it in by_model(rows).values():
        own = {(row.backend, row.device): row for row in of_it if row.maker == DEFAULT}
        for row in of_it:
            ours = own.get((row.backend, row.device))
            if ours is not None and row is not ours and is_ahead(row, ours):
                yield _told(row, ours)


def is_ahead(row: Row, ours: Row) -> bool:
    """Whether ``row``, of another method, is faster than ``ours``, and loses no more.

    Faster: the 95 % intervals of their medians do not meet. Where accuracy is not known: no answers
    of it may agree less with FP32's.
    """
    if row.is_float or row.latency_ms is None or ours.latency_ms is None:
        return False
    theirs, of_ours = row.latency_ms.ci95, ours.latency_ms.ci95
    if theirs is None or of_ours is None or theirs[1] >= of_ours[0]:
        return False
    if row.needs is None and row.drop is not None and ours.drop is not None:
        return row.drop.value <= ours.drop.value
    if row.agreement is None or ours.agreement is None:
        return False
    return row.agreement >= ours.agreement


def _told(row: Row, ours: Row) -> str:
    assert row.latency_ms is not None
    assert ours.latency_ms is not None
    times = f"{milliseconds(row.latency_ms.p50)} ms for {milliseconds(ours.latency_ms.p50)}"
    if row.needs is None and row.drop is not None and ours.drop is not None:
        lost = f"loses {row.drop.value:.2f} points for {ours.drop.value:.2f}"
    else:
        lost = f"agrees {row.agreement:.3f} for {ours.agreement:.3f}"
    where = f"{escaped(row.model)} on {escaped(label_of(row.backend))}"
    return f"{where}: {escaped(method_label(row.maker))} takes {times} and {lost}"
