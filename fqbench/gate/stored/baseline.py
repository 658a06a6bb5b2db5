"""A baseline: results frozen to compare later ones with; broken values need a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from fqbench.errors import UsageError
from fqbench.fileio import write_text
from fqbench.gate.records import Group, Launches, Row, Run, Samples, StoredResults
from fqbench.gate.stored.comparability import differences
from fqbench.measure.reference import COPY

SCHEMA = 1
SHORTEST_REASON = 10
"""Characters that a reason needs: "ok" is none."""

LARGEST_DROP = 5.0
"""Points that a drop without a margin may surely be."""

LEAST_AGREEMENT = 0.1
"""Cosine below which INT8 does not predict what FP32 does."""

DIGITS = 7
"""Significant ones that are kept of a time: the rest is far below any noise."""


def broken(row: Row) -> Iterator[str]:
    """What is wrong with values that later results would be compared with, in a few words each."""
    if row.status == "failed":
        yield f"it failed: {row.reason or 'no reason was kept'}"
    if row.status != "ok":
        return
    if row.metric is not None and row.accuracy is None and row.needs is None:
        yield "it has no accuracy"
    if row.drop is not None and row.against_margin == "outside":
        yield f"its accuracy drops by {row.drop.value:.2f} points, its margin is {row.margin:g}"
    if row.drop is not None and row.margin is None and row.drop.interval.low > LARGEST_DROP:
        yield f"its accuracy drops by {row.drop.value:.2f} points"
    if row.ratio is not None and row.ratio.interval.high < 1:
        yield f"INT8 is slower than FP32 (ratio {row.ratio.value:.2f})"
    if row.agreement is not None and row.agreement < LEAST_AGREEMENT:
        yield f"its outputs agree with FP32's by {row.agreement:.2f} only"


def freeze(sides: Sequence[StoredResults], accepted: Mapping[str, str], out: Path) -> Path:
    """Write the runs of ``sides`` as one baseline; return its path.

    ``accepted``: cells whose values are broken, each with the reason why they are kept. Raises
    UsageError: broken values that are not accepted, each named; a reason that is too short or of a
    cell that is not broken; runs that cannot be compared with each other, or the same run twice.
    """
    _check_runs(sides)
    runs = [run for side in sides for run in side.runs]
    accepted = {**{cell: why for side in sides for cell, why in side.accepted.items()}, **accepted}
    found = _broken_cells(runs)
    for cell, reason in accepted.items():
        if cell not in found:
            known = ", ".join(found) or "none is"
            raise UsageError(
                f"--accept {cell}: no value of it is broken (broken: {known}): leave it out"
            )
        if len(reason.strip()) < SHORTEST_REASON:
            raise UsageError(
                f"--accept {cell}: the reason {reason!r} is too short: say in"
                f" {SHORTEST_REASON} characters or more why it is kept"
            )
    refused = [f"{cell}: {'; '.join(why)}" for cell, why in found.items() if cell not in accepted]
    if refused:
        raise UsageError(
            f"the baseline would keep broken values: {' | '.join(refused)}. Mend them, or keep one"
            " with --accept CELL=REASON"
        )
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    content = {
        "schema": SCHEMA,
        "kind": "baseline",
        "created": created,
        "machine": sides[0].machine.model_dump(mode="json"),
        "runs": [run.model_dump(mode="json", exclude_none=True) for run in _reduced(runs)],
        "accepted": dict(accepted),
    }
    return write_text(out, json.dumps(content, allow_nan=False) + "\n")


def _check_runs(sides: Sequence[StoredResults]) -> None:
    """Raise UsageError where the runs are not of one code, machine and data."""
    first, *others = sides
    for other in others:
        if found := differences(first, other):
            raise UsageError(
                f"{first.path} and {other.path} do not belong into one baseline: {'; '.join(found)}"
                "; freeze runs of the same machine, versions and data"
            )
    created: dict[str, Path] = {}
    for side in sides:
        for run in side.runs:
            if run.created in created:
                raise UsageError(
                    f"{created[run.created]} and {side.path} hold the same run ({run.created})"
                    ": leave one of them out"
                )
            created[run.created] = side.path


def _broken_cells(runs: Sequence[Run]) -> dict[str, tuple[str, ...]]:
    """What is broken, by cell; of several runs with a broken value, in the first."""
    found: dict[str, tuple[str, ...]] = {}
    for row in (row for run in runs for row in run.rows):
        if reasons := tuple(broken(row)):
            found.setdefault(row.cell, reasons)
    return found


def _reduced(runs: Sequence[Run]) -> Iterator[Run]:
    """The runs with all that comparisons use, and no more: a baseline is committed beside code.

    Of times the shortest of each round, of accuracies those that differ from an earlier run's.
    """
    known: dict[str, tuple[float, ...]] = {}
    for run in runs:
        groups = tuple(
            Group(cells=_shortest(group.cells), reference=_shortest(group.reference))
            for group in run.samples.groups
        )
        found = run.samples.accuracies
        new = {cell: points for cell, points in found.items() if known.get(cell) != points}
        known.update(new)
        yield run.model_copy(update={"samples": Samples(groups=groups, accuracies=new)})


def _shortest(times: Mapping[str, Launches]) -> dict[str, Launches]:
    return {
        name: tuple(tuple((_rounded(min(block)),) for block in rounds) for rounds in launches)
        for name, launches in times.items()
        if name != COPY
    }


def _rounded(seconds: float) -> float:
    return float(f"{seconds:.{DIGITS}g}")
