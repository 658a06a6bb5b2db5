"""How stored results were compared and how sure the verdict is, in sentences for the reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fqbench.counting import counted
from fqbench.gate.evidence import Tolerances
from fqbench.gate.records import StoredResults
from fqbench.gate.stored.figures import FEWEST_RUNS, KERNEL_UNITS, SHORTEST, RunSpread
from fqbench.gate.verdict import count_cells, describe_tolerances, percent


def method(
    base: StoredResults, head: StoredResults, in_kernel_units: int, as_they_are: int
) -> Iterator[str]:
    """How times were compared: of so many cells in units of a kernel, of others as they are."""
    runs = ", ".join(
        f"{counted(len(side.runs), 'run')} of {name}"
        for side, name in ((base, "BASE"), (head, "HEAD"))
    )
    yield (
        f"The sides were measured at different times ({runs}), which is weaker than timing them in"
        " turns, as fqbench gate --base REF --head REF does."
    )
    for side, name in ((base, "BASE"), (head, "HEAD")):
        if facts := _how_measured(side):
            yield f"{name}: {', '.join(facts)}."
    if in_kernel_units:
        yield (
            f"Times of {count_cells(in_kernel_units)} are compared in units of a reference kernel"
            " of their precision that ran in the same rounds, by the fastest of them, so Change is"
            " not that of the milliseconds, which move with the machine;"
            f" {_spread_source(base, KERNEL_UNITS)}."
        )
    if as_they_are:
        yield (
            f"Times of {count_cells(as_they_are)} are compared by the shortest as they are, since"
            f" no reference kernel ran beside them; {_spread_source(base, SHORTEST)}."
        )


def unseen_accuracies(count: int) -> Iterator[str]:
    """Why accuracies that both sides have are not compared, where there are any."""
    if count:
        yield (
            f"Accuracy is only compared with its margin in {count_cells(count)}: to compare the"
            " sides takes samples.json and the same images on both."
        )


def limits(tolerances: Tolerances, visible: Sequence[float]) -> Iterator[str]:
    """What counts as worse, how often that is a false alarm, and which slow-downs show at all.

    ``visible``: the smallest slow-down that shows in each cell, as a part of 1.
    """
    yield describe_tolerances(tolerances)
    if visible:
        least, most = percent(min(visible)), percent(max(visible))
        ends = least if least == most else f"{least} to {most}, by cell,"
        yield f"Slow-downs of less than {ends} do not show this way."


def cautions(
    base: StoredResults, head: StoredResults, differences: Sequence[str]
) -> tuple[str, ...]:
    """What speaks against the verdict: ``differences`` of the sides, what they lack or keep."""
    found = [f"Compared although the sides differ: {each}." for each in differences]
    for side, name in ((base, "BASE"), (head, "HEAD")):
        found += [f"{name}: {note}." for note in side.notes]
        found += [
            f"{name} keeps a broken value of {cell}, accepted because: {reason}"
            for cell, reason in side.accepted.items()
        ]
    return tuple(found)


def _how_measured(side: StoredResults) -> list[str]:
    """How a side was measured, and how noisy its machine was."""
    rows = [row for run in side.runs for row in run.rows if row.latency_ms is not None]
    counts = sorted({row.launches for row in rows if row.launches is not None})
    facts = []
    if counts:
        ends = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        facts.append(f"launches of each cell in each run: {ends}")
    bound = {row.pinned for row in rows}
    if len(bound) == 1 and None not in bound:
        facts.append(f"processes {'bound' if True in bound else 'not bound'} to cores")
    noise = side.machine.reference.spread if side.machine.reference is not None else None
    if noise is not None:
        facts.append(f"a fixed kernel took up to {percent(noise)} longer than at its best")
    return facts


def _spread_source(base: StoredResults, default: RunSpread) -> str:
    if len(base.runs) >= FEWEST_RUNS:
        return f"how far they differ between runs is known from {len(base.runs)} runs of BASE"
    return (
        f"between runs of identical code they are taken to differ by {percent(default.sd)}"
        f" (standard deviation, measured elsewhere; a baseline of {FEWEST_RUNS} runs or more"
        " would show it for this machine)"
    )
