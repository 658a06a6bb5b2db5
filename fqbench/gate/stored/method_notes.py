"""How sure a verdict on stored results is, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fqbench.gate import spread
from fqbench.gate.evidence import Tolerances
from fqbench.gate.records import Machine
from fqbench.gate.spread import Spread
from fqbench.gate.stored import Stored


def method(base: Stored, head: Stored, in_kernels: int, raw: int) -> Iterator[str]:
    """How the times of so many cells were compared: in units of a kernel, and as they are."""
    runs = ", ".join(
        f"{len(side.runs)} {'run' if len(side.runs) == 1 else 'runs'} of {name}"
        for side, name in ((base, "BASE"), (head, "HEAD"))
    )
    yield (
        f"The sides were measured at different times ({runs}), which is weaker than timing them in"
        " turns, as fqbench gate --base REF --head REF does."
    )
    for side, name in ((base, "BASE"), (head, "HEAD")):
        if facts := _measuring(side):
            yield f"{name}: {', '.join(facts)}."
    if in_kernels:
        yield (
            f"Times of {cells(in_kernels)} are compared in units of a reference kernel of their"
            " precision that ran in the same rounds, by the fastest of them;"
            f" {_between(base, spread.IN_KERNELS)}."
        )
    if raw:
        yield (
            f"Times of {cells(raw)} are compared by the shortest as they are, since no reference"
            f" kernel ran beside them; {_between(base, spread.RAW)}."
        )


def unseen_accuracies(count: int) -> Iterator[str]:
    """Why accuracies that both sides have are not compared, where there are any."""
    if count:
        yield (
            f"Accuracy is only held to its margin in {cells(count)}: to compare it takes"
            " samples.json and the same images on both sides."
        )


def worse(tolerances: Tolerances) -> str:
    """What counts as worse, and how often that is a false alarm."""
    return (
        f"Worse is what exceeds {percent(tolerances.slowdown)} and {tolerances.absolute_ms:g} ms,"
        f" or {tolerances.points:g} points of accuracy, by more than chance: on identical code any"
        f" cell is called worse in {percent(tolerances.alpha)} of comparisons at most."
    )


def limits(tolerances: Tolerances, visible: Sequence[float]) -> Iterator[str]:
    """What counts as worse, how often that is a false alarm, and which slow-downs show at all."""
    yield worse(tolerances)
    if visible:
        least, most = percent(min(visible)), percent(max(visible))
        ends = least if least == most else f"{least} to {most}, by cell,"
        yield f"Slow-downs of less than {ends} do not show this way."


def cautions(base: Stored, head: Stored, differences: Sequence[str]) -> tuple[str, ...]:
    """What speaks against the verdict: ``differences`` of the sides, what they lack or keep."""
    found = [f"Compared although the sides differ: {each}." for each in differences]
    for side, name in ((base, "BASE"), (head, "HEAD")):
        found += [f"{name}: {note}." for note in side.notes]
        found += [
            f"{name} keeps a broken value of {cell}, accepted because: {reason}"
            for cell, reason in side.accepted.items()
        ]
    return tuple(found)


def machines(base: Stored, head: Stored) -> tuple[str, ...]:
    """What the sides were measured on; once, where it is the same."""
    ours, theirs = _described(base.machine), _described(head.machine)
    if ours == theirs:
        return ours
    return tuple(
        f"{name}: {text}" for name, texts in (("BASE", ours), ("HEAD", theirs)) for text in texts
    )


def _measuring(side: Stored) -> list[str]:
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


def _described(machine: Machine) -> tuple[str, ...]:
    cpu = machine.cpu
    facts = [f"CPU {cpu.model} ({', '.join(cpu.isa) if cpu.isa else 'instruction sets not told'})"]
    facts += [f"{cpu.usable_cores} usable cores"] if cpu.usable_cores is not None else []
    facts += [f"threads: {machine.threads}"] if machine.threads is not None else []
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (", ".join(facts), f"Versions: {versions}") if versions else (", ".join(facts),)


def _between(base: Stored, default: Spread) -> str:
    if len(base.runs) >= spread.FEWEST_RUNS:
        return f"how far they differ between runs is known from {len(base.runs)} runs of BASE"
    return (
        f"between runs of identical code they are taken to differ by {percent(default.sd)}"
        f" (standard deviation, measured elsewhere; a baseline of {spread.FEWEST_RUNS} runs or more"
        " would tell it of this machine)"
    )


def cells(count: int) -> str:
    """So many cells."""
    return "1 cell" if count == 1 else f"{count} cells"


def percent(part: float) -> str:
    """A part of 1 in percent, with as many digits as it deserves."""
    value = 100 * part
    return f"{value:.0f} %" if abs(value) >= 10 else f"{value:.1f} %".replace(".0 %", " %")
