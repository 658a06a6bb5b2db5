"""The verdict on two stored sides, which were measured apart from each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fqbench.gate import figures, spread
from fqbench.gate.account import Account, RatioChange
from fqbench.gate.certainty import limits, method, percent
from fqbench.gate.evidence import AccuracyEvidence, Tolerances, loss, p_less_accurate
from fqbench.gate.multiple import holm
from fqbench.gate.records import Row
from fqbench.gate.spread import Change
from fqbench.gate.stored import Stored
from fqbench.gate.verdict import Decision, Status, Verdict
from fqbench.measure.stats import Interval

AGAIN = (
    "stored times cannot be measured again, so confirm it with both sides timed in turns:"
    " fqbench gate --base REF --head REF"
)


@dataclass(frozen=True)
class Apart:
    """What both sides tell of a cell that ran on both; ``ms``: their medians.

    ``in_kernels``: whether ``speed`` is of times in units of a reference kernel. ``tolerance``:
    relative, with the absolute one in it. ``same_artifact``: whether the runtime got the same.
    """

    cell: str
    ms: tuple[float, float] | None = None
    speed: Change | None = None
    in_kernels: bool = False
    tolerance: float = 0.0
    accuracy: AccuracyEvidence | None = None
    launches: int = 0
    same_artifact: bool = False


def compare(base: Stored, head: Stored, tolerances: Tolerances) -> Account:
    """Judge every cell that either side has.

    Whether the sides may be compared at all (``comparable.differences``) the caller has found out.
    """
    names = _names(head, base)
    cells = [_apart(base, head, name, tolerances) for name in names if _on_both(base, head, name)]
    judged = {verdict.cell: verdict for verdict in judge(cells, tolerances)}
    found = (judged.get(name) or _one_sided(base, head, name) for name in names)
    ratios = {name: _ratio(base, head, name) for name in judged}
    timed = [cell for cell in cells if cell.speed is not None]
    in_kernels = sum(cell.in_kernels for cell in timed)
    return Account(
        str(base.path),
        str(head.path),
        Decision(tuple(verdict for verdict in found if verdict is not None)),
        certainty=(
            *method(base, head, in_kernels, len(timed) - in_kernels),
            limits(tolerances),
        ),
        ratios={name: ratio for name, ratio in ratios.items() if ratio is not None},
    )


def judge(cells: Sequence[Apart], tolerances: Tolerances) -> tuple[Verdict, ...]:
    """The verdict of each cell. On identical code, the chance of any that is worse is ``alpha``."""
    slower = {c.cell: c.speed.p_above(c.tolerance) for c in cells if c.speed is not None}
    faster = {c.cell: c.speed.p_below(c.tolerance) for c in cells if c.speed is not None}
    wrong = {
        c.cell: p_less_accurate(c.accuracy, tolerances) for c in cells if c.accuracy is not None
    }
    worse = holm([*slower.values(), *wrong.values()], tolerances.alpha)
    is_slower = {name for name, found in zip(slower, worse, strict=False) if found}
    is_wrong = {name for name, found in zip(wrong, worse[len(slower) :], strict=True) if found}
    better = holm([*faster.values()], tolerances.alpha)
    is_faster = {name for name, found in zip(faster, better, strict=True) if found}
    alpha = tolerances.alpha / max(1, len(worse))
    return tuple(
        _verdict(
            cell,
            alpha,
            slower=cell.cell in is_slower,
            wrong=cell.cell in is_wrong,
            faster=cell.cell in is_faster,
        )
        for cell in cells
    )


def _verdict(cell: Apart, alpha: float, *, slower: bool, wrong: bool, faster: bool) -> Verdict:
    lost = loss(cell.accuracy) if cell.accuracy is not None else None
    status: Status = (
        "less accurate" if wrong else "slower" if slower else "faster" if faster else "same"
    )
    return Verdict(
        cell.cell,
        status if cell.speed is not None or lost is not None else "unclear",
        "; ".join(_reasons(cell, alpha, lost if wrong else None, slower or faster)),
        regressed=slower or wrong,
        base_ms=cell.ms[0] if cell.ms else None,
        head_ms=cell.ms[1] if cell.ms else None,
        slowdown=cell.speed.factor if cell.speed is not None else None,
        loss=lost,
        launches=cell.launches,
    )


def _reasons(cell: Apart, alpha: float, lost: Interval | None, differs: bool) -> Iterator[str]:
    if lost is not None:
        yield f"it lost {lost.value:.2f} points of accuracy"
    if cell.speed is None:
        yield "its time was not stored on both sides"
        return
    more = cell.speed.factor.value - 1
    if not differs:
        seen = percent(cell.speed.visible(cell.tolerance, alpha))
        yield f"between separate runs only a slow-down of more than {seen} would show"
    elif more < 0:
        yield f"it takes {percent(-more)} less time"
    else:
        yield f"it takes {percent(more)} more time"
        if cell.same_artifact:
            yield "its artifact is the same on both sides, so the cause is how it was run"
        yield AGAIN


def _names(*sides: Stored) -> list[str]:
    """Cells of the sides, each once."""
    return [*dict.fromkeys(row.cell for side in sides for run in side.runs for row in run.rows)]


def _on_both(base: Stored, head: Stored, cell: str) -> bool:
    rows = [figures.row(side, cell) for side in (base, head)]
    return all(row is not None and figures.ran(row) for row in rows)


def _apart(base: Stored, head: Stored, cell: str, tolerances: Tolerances) -> Apart:
    before, after = (figures.milliseconds(side, cell) for side in (base, head))
    accuracy = figures.accuracy(base, head, cell)
    if before is None or after is None:
        return Apart(cell, accuracy=accuracy)
    speed, in_kernels = _speed(base, head, cell)
    return Apart(
        cell,
        (before, after),
        speed,
        in_kernels,
        max(tolerances.slowdown, tolerances.absolute_ms / before),
        accuracy,
        min(figures.launches(side, cell) for side in (base, head)),
        figures.same_artifact(base, head, cell),
    )


def _speed(base: Stored, head: Stored, cell: str) -> tuple[Change | None, bool]:
    """How times changed, and whether they are in units of a kernel."""
    before, after = (figures.in_kernels(side, cell) for side in (base, head))
    if before is not None and after is not None:
        return spread.change(before, after, spread.IN_KERNELS), True
    before, after = (figures.raw(side, cell) for side in (base, head))
    if before is not None and after is not None:
        return spread.change(before, after, spread.RAW), False
    return None, False


def _ratio(base: Stored, head: Stored, cell: str) -> RatioChange | None:
    before, after = (figures.ratios(side, cell) for side in (base, head))
    if before is None or after is None:
        return None
    changed = spread.change(before, after, spread.RATIOS)
    return RatioChange(before.mean, after.mean, changed.factor)


def _one_sided(base: Stored, head: Stored, cell: str) -> Verdict | None:
    """The verdict of a cell that ran on one side at most; None where nobody expected it to run."""
    ours, theirs = (figures.row(side, cell) for side in (base, head))
    was_there = ours is not None and figures.ran(ours)
    if theirs is not None and figures.ran(theirs):
        return Verdict(
            cell, "new", _absence("BASE", ours), head_ms=figures.milliseconds(head, cell)
        )
    if theirs is not None and theirs.status == "failed":
        failed_before = ours is not None and ours.status == "failed"
        reason = theirs.reason or "no reason was kept"
        return Verdict(cell, "failed", reason, regressed=not failed_before)
    if not was_there:
        return None
    return Verdict(
        cell, "missing", _absence("HEAD", theirs), base_ms=figures.milliseconds(base, cell)
    )


def _absence(side: str, row: Row | None) -> str:
    if row is None:
        return f"{side} does not have it"
    return f"it did not run in {side}: {row.reason or 'no reason was kept'}"
