"""What to use: of each model and device the fastest cell that is surely within its margin."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fqbench.backends import label_of
from fqbench.measure import stats
from fqbench.measure.margin import sentence as margin_sentence
from fqbench.measure.stats import Interval, Launches
from fqbench.precisions import baseline
from fqbench.report import best_float
from fqbench.report.table import interval, is_best_float, made_label
from fqbench.results import Row
from fqbench.samples import Samples


@dataclass(frozen=True)
class Advice:
    """``use``: the cell to use, None where none is certain; ``why``: by what it is the one.

    ``unknown``: of faster cells, what is not known, and what would tell.
    """

    model: str
    device: str
    use: str | None
    ms: str
    why: str
    unknown: tuple[str, ...] = ()


def cell_label(row: Row) -> str:
    """What a page calls a cell beside its model: ``ONNX INT8``."""
    return f"{label_of(row.cell.backend)} {made_label(row.cell)}"


def advices(rows: Sequence[Row], samples: Samples) -> tuple[Advice, ...]:
    """One for each model and device of which anything was timed, in the order of the rows."""
    return tuple(advice(group, samples) for group in by_place(rows).values())


def by_place(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """The rows that have a latency by model and device, in their order."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.status == "ok" and row.latency is not None:
            found.setdefault((row.cell.model, row.cell.device), []).append(row)
    return found


def advice(timed: Sequence[Row], samples: Samples) -> Advice:
    """Of the rows of one model and device, all of which were timed."""
    # Where INT8 does not pay, its cell is FP32's file again.
    fastest = sorted((row for row in timed if row.slowdown is None), key=_ms)
    certain = [row for row in fastest if is_certain(row)]
    cell, device = timed[0].cell, timed[0].cell.device.upper()
    if not certain:
        unknown = tuple(_doubts(fastest))
        why = "No cell is known to be within its margin."
        return Advice(cell.model, device, None, "", why, unknown)
    best, others = certain[0], certain[1:]
    faster = fastest[: fastest.index(best)]
    why = " ".join(_reasons(best, others[0] if others else None, samples))
    return Advice(
        cell.model, device, cell_label(best), f"{_ms(best):.2f}", why, tuple(_doubts(faster))
    )


def is_certain(row: Row) -> bool:
    """Whether a cell may be used as it is: all of its drop's interval is inside of the margin.

    What drops are counted from needs no margin.
    """
    return row.cell.precision == baseline().name or row.against_margin == "inside"


def times_as_fast(row: Row, other: Row, samples: Samples) -> Interval | None:
    """How many times as fast a cell is as another one, where both were timed in turns."""
    for group in samples.groups:
        if row.cell.id in group.cells and other.cell.id in group.cells:
            return _ratio(group.cells[other.cell.id], group.cells[row.cell.id])
    return None


def _ratio(reference: Launches, measured: Launches) -> Interval | None:
    try:
        return stats.ratio(reference, measured)
    except ValueError:  # Not the same launches.
        return None


def _reasons(best: Row, second: Row | None, samples: Samples) -> Iterator[str]:
    if is_best_float(best):
        yield "It is the fastest float, and nothing that is surely within its margin is faster."
    elif best.best_float is not None:
        other = best_float.label(best.best_float.cell)
        yield f"{_times(best.best_float.ratio)} the fastest float, {other}."
    if best.drop is not None and best.margin is not None:
        yield f"{margin_sentence(best.drop, best.margin, best.images)}."
    if second is None:
        yield "There is no other cell to compare it with."
        return
    if best.best_float is not None and best.best_float.cell == second.cell:
        yield "That float is the second fastest."
        return
    ratio = times_as_fast(best, second, samples)
    name = cell_label(second)
    if ratio is None:
        yield f"The next one, {name}, takes {_ms(second):.2f} ms; they were not timed in turns."
    else:
        yield f"{_times(ratio)} the next one, {name}."


def _times(ratio: Interval) -> str:
    """``2.54 (2.50 to 2.58) times as fast as``, and whether that is certain."""
    unsure = "Not certainly faster: " if ratio.low <= 1.0 <= ratio.high else ""
    return f"{unsure}{interval(ratio)} times as fast as"


def _doubts(rows: Sequence[Row]) -> Iterator[str]:
    """Of cells that are faster than what is certain, what speaks against them."""
    for row in rows:
        name = f"{cell_label(row)}, {_ms(row):.2f} ms"
        if row.drop is not None and row.margin is not None and row.needs is None:
            yield f"{name}: {margin_sentence(row.drop, row.margin, row.images)}."
        elif row.needs is not None:
            yield f"{name}: its accuracy is not known: {row.needs}."
        else:
            yield f"{name}: its drop is not known, or no margin is set for it."


def _ms(row: Row) -> float:
    return math.inf if row.latency is None else row.latency.p50.value
