"""Drops with their intervals against their margins."""

from __future__ import annotations

from collections.abc import Sequence

from fqbench.counting import counted, verb
from fqbench.measure.margin import Standing, sentence
from fqbench.report.html.advice import cell_label
from fqbench.report.html.datatable import table
from fqbench.report.html.plots import Mark, Plot, intervals
from fqbench.report.table import interval
from fqbench.results import Row

STANDINGS: tuple[Standing, ...] = ("inside", "outside", "not known")

COLUMNS = ("Cell", "Drop", "Margin", "Against the margin", "Images", "Images that would tell")


def drops(rows: Sequence[Row]) -> Plot | None:
    """All drops that have a margin, None where there is none."""
    held = [row for row in rows if row.against_margin is not None and row.needs is None]
    if not held:
        return None
    marks = [mark for row in held if (mark := _mark(row)) is not None]
    standings = {where: sum(row.against_margin == where for row in held) for where in STANDINGS}
    about = ", ".join(f"{count} {where}" for where, count in standings.items() if count)
    lines = [
        (
            row.cell.id,
            interval(row.drop),
            f"{row.margin:g}",
            str(row.against_margin),
            str(row.images or "-"),
            str(row.images_needed or "-"),
        )
        for row in held
    ]
    numbers = table("Drops and their margins", COLUMNS, lines)
    return Plot(
        "Drops of all cells",
        f"Of {counted(len(held), 'drop')} by {verb(len(held), 'its', 'their')} margin: {about}.",
        intervals(
            marks, "Points lost against FP32 (negative: gained)", reference=0.0, groups=STANDINGS
        ),
        numbers,
    )


def _mark(row: Row) -> Mark | None:
    if row.drop is None or row.margin is None or row.against_margin is None:
        return None
    return Mark(
        (row.cell.model, cell_label(row)),
        row.drop,
        row.against_margin,
        f"{row.cell.id}\n{sentence(row.drop, row.margin, row.images)}",
        note=row.against_margin,
        threshold=row.margin,
    )
