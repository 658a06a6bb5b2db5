"""How sure a verdict on stored results is, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from fqbench.gate import spread
from fqbench.gate.evidence import Tolerances
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
        " turns."
    )
    if in_kernels:
        yield (
            f"Times of {in_kernels} cells are compared in units of a reference kernel of their"
            f" precision that ran in the same rounds; {_between(base, spread.IN_KERNELS)}."
        )
    if raw:
        yield (
            f"Times of {raw} cells are compared as they are, since no reference kernel ran beside"
            f" them; {_between(base, spread.RAW)}."
        )


def limits(tolerances: Tolerances) -> str:
    """What counts as worse, and how often that is a false alarm."""
    return (
        f"Worse is what exceeds {percent(tolerances.slowdown)} and {tolerances.absolute_ms:g} ms,"
        f" or {tolerances.points:g} points of accuracy, by more than chance: on identical code any"
        f" cell is called worse in {percent(tolerances.alpha)} of comparisons."
    )


def _between(base: Stored, default: Spread) -> str:
    if len(base.runs) >= spread.FEWEST_RUNS:
        return f"how far they differ between runs is known from {len(base.runs)} runs of BASE"
    return (
        f"between runs of identical code they are taken to differ by {percent(default.sd)}"
        f" (standard deviation, measured elsewhere; a baseline of {spread.FEWEST_RUNS} runs or more"
        " would tell it of this machine)"
    )


def percent(part: float) -> str:
    """A part of 1 in percent, with as many digits as it deserves."""
    value = 100 * part
    return f"{value:.0f} %" if abs(value) >= 10 else f"{value:.1f} %".replace(".0 %", " %")
