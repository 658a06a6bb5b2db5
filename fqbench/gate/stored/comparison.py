"""The verdict on two stored sides, which were measured apart from each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fqbench.gate import figures, spread
from fqbench.gate.account import Account, RatioChange
from fqbench.gate.certainty import limits, method, unseen_accuracies
from fqbench.gate.evidence import AccuracyEvidence, Tolerances, loss, p_less_accurate
from fqbench.gate.multiple import holm
from fqbench.gate.records import Row
from fqbench.gate.spread import Change
from fqbench.gate.stored import Stored
from fqbench.gate.verdict import Decision, Status, Verdict

BLIND = 1.0
"""A slow-down, as a part of the time: where not even this one would show, nothing is known."""

AGAIN = "stored times cannot be measured again to confirm it"


@dataclass(frozen=True)
class Apart:
    """What both sides tell of a cell that ran on both; ``ms``: their medians.

    ``in_kernels``: whether ``speed`` is of times in units of a reference kernel. ``tolerance``:
    relative, with the absolute one in it. ``left_margin``: whether only BASE is within it.
    ``same_files``: whether the runtime got the same files.
    """

    cell: str
    ms: tuple[float, float] | None = None
    speed: Change | None = None
    in_kernels: bool = False
    tolerance: float = 0.0
    accuracy: AccuracyEvidence | None = None
    launches: int = 0
    left_margin: bool = False
    same_files: bool = False


@dataclass(frozen=True)
class _Found:
    """What the tests of all cells together say of one; ``blind``: its time tells nothing."""

    slower: bool
    faster: bool
    wrong: bool
    blind: bool


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
    share = _share(cells, tolerances)
    seen = [cell for cell in timed if not _blind(cell, share)]
    return Account(
        str(base.path),
        str(head.path),
        Decision(tuple(verdict for verdict in found if verdict is not None)),
        certainty=(
            *method(base, head, in_kernels, len(timed) - in_kernels),
            *unseen_accuracies(sum(_accuracy_is_lost(base, head, cell) for cell in cells)),
            *limits(tolerances, [c.speed.visible(c.tolerance, share) for c in seen if c.speed]),
        ),
        ratios={name: ratio for name, ratio in ratios.items() if ratio is not None},
    )


def judge(cells: Sequence[Apart], tolerances: Tolerances) -> tuple[Verdict, ...]:
    """The verdict of each cell.

    On identical code the chance that any is called slower is ``alpha`` (Holm). Answers of identical
    code are identical, so accuracies take nothing from it.
    """
    alpha = tolerances.alpha
    slower = _rejected({c.cell: c.speed.p_above(c.tolerance) for c in cells if c.speed}, alpha)
    faster = _rejected({c.cell: c.speed.p_below(c.tolerance) for c in cells if c.speed}, alpha)
    wrong = _rejected(
        {c.cell: p_less_accurate(c.accuracy, tolerances) for c in cells if c.accuracy}, alpha
    )
    wrong |= {c.cell for c in cells if c.left_margin}
    share = _share(cells, tolerances)
    return tuple(
        _verdict(
            cell,
            _Found(
                slower=cell.cell in slower,
                faster=cell.cell in faster,
                wrong=cell.cell in wrong,
                blind=_blind(cell, share),
            ),
        )
        for cell in cells
    )


def _share(cells: Sequence[Apart], tolerances: Tolerances) -> float:
    """What Holm's procedure leaves of ``alpha`` for the first cell."""
    return tolerances.alpha / max(1, sum(cell.speed is not None for cell in cells))


def _blind(cell: Apart, share: float) -> bool:
    """Whether nothing is known of its time."""
    return cell.speed is None or cell.speed.visible(0.0, share) > BLIND


def _rejected(p_values: Mapping[str, float], alpha: float) -> set[str]:
    found = holm([*p_values.values()], alpha)
    return {cell for cell, rejected in zip(p_values, found, strict=True) if rejected}


def _verdict(cell: Apart, found: _Found) -> Verdict:
    status: Status = "same"
    if found.wrong:
        status = "less accurate"
    elif found.slower or found.faster:
        status = "slower" if found.slower else "faster"
    elif found.blind and (cell.speed is not None or cell.accuracy is None):
        status = "unclear"
    return Verdict(
        cell.cell,
        status,
        "; ".join(_reasons(cell, found)),
        regressed=found.slower or found.wrong,
        base_ms=cell.ms[0] if cell.ms else None,
        head_ms=cell.ms[1] if cell.ms else None,
        slowdown=cell.speed.factor if cell.speed else None,
        loss=loss(cell.accuracy) if cell.accuracy else None,
        launches=cell.launches,
    )


def _reasons(cell: Apart, found: _Found) -> Iterator[str]:
    if cell.left_margin:
        yield "its accuracy left its margin"
    elif found.wrong:
        yield "it lost more accuracy than is tolerated"
    if cell.speed is None:
        yield "its time was not stored on both sides"
    elif found.slower:
        if cell.same_files:
            yield "its files are the same on both sides, so the cause is how it was run"
        yield AGAIN
    elif found.blind and not found.faster:
        yield "it was disturbed so much that not even twice the time would show"


def _names(*sides: Stored) -> list[str]:
    """Cells of the sides, each once."""
    return [*dict.fromkeys(row.cell for side in sides for run in side.runs for row in run.rows)]


def _on_both(base: Stored, head: Stored, cell: str) -> bool:
    rows = [figures.row(side, cell) for side in (base, head)]
    return all(row is not None and figures.ran(row) for row in rows)


def _apart(base: Stored, head: Stored, cell: str, tolerances: Tolerances) -> Apart:
    before, after = (figures.milliseconds(side, cell) for side in (base, head))
    accuracy, left = figures.accuracy(base, head, cell), figures.left_margin(base, head, cell)
    if before is None or after is None:
        return Apart(cell, accuracy=accuracy, left_margin=left)
    speed, in_kernels = _speed(base, head, cell)
    return Apart(
        cell,
        (before, after),
        speed,
        in_kernels,
        max(tolerances.slowdown, tolerances.absolute_ms / before),
        accuracy,
        min(figures.launches(side, cell) for side in (base, head)),
        left,
        figures.same_files(base, head, cell),
    )


def _accuracy_is_lost(base: Stored, head: Stored, cell: Apart) -> bool:
    """Whether both sides have an accuracy, and they cannot be compared."""
    rows = [figures.row(side, cell.cell) for side in (base, head)]
    told = all(row is not None and row.accuracy is not None for row in rows)
    return told and cell.accuracy is None


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
        cell, "missing", _absence("HEAD", theirs), True, figures.milliseconds(base, cell)
    )


def _absence(side: str, row: Row | None) -> str:
    if row is None:
        return f"{side} does not have it"
    return f"it did not run in {side}: {row.reason or 'no reason was kept'}"
