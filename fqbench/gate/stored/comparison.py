"""The verdict on two stored sides, which were measured at different times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fqbench.gate.decision import holm
from fqbench.gate.evidence import (
    AccuracyEvidence,
    Tolerances,
    accuracy_evidence,
    find_row,
    left_margin,
    loss,
    p_less_accurate,
    same_files,
    was_measured,
)
from fqbench.gate.records import Row, StoredResults
from fqbench.gate.stored import figures
from fqbench.gate.stored.figures import Change
from fqbench.gate.stored.method_notes import limits, method, unseen_accuracies
from fqbench.gate.verdict import Decision, GateReport, RatioChange, Status, Verdict

MAX_DETECTABLE_SLOWDOWN = 1.0
"""As a part of the time: where only larger slow-downs would show, nothing is known of a cell."""

NOT_REPEATED = "stored times cannot be measured again to confirm it"


@dataclass(frozen=True)
class StoredEvidence:
    """What is known of a cell that ran on both sides; ``ms``: their medians.

    ``in_kernel_units``: whether ``speed`` is of times in units of a reference kernel.
    ``tolerance``: relative, the absolute one included. ``left_margin``: whether only BASE is
    within it. ``same_files``: whether the runtime loaded the same files.
    """

    cell: str
    ms: tuple[float, float] | None = None
    speed: Change | None = None
    in_kernel_units: bool = False
    tolerance: float = 0.0
    accuracy: AccuracyEvidence | None = None
    launches: int = 0
    left_margin: bool = False
    same_files: bool = False


@dataclass(frozen=True)
class _TestResult:
    """What the tests of all cells together show of one; ``blind``: its times show nothing."""

    slower: bool
    faster: bool
    less_accurate: bool
    blind: bool


def compare_stored(base: StoredResults, head: StoredResults, tolerances: Tolerances) -> GateReport:
    """Judge every cell that either side has.

    Callers check first whether the sides are comparable at all (``comparability.differences``).
    """
    names = _names(head, base)
    shared = (name for name in names if _on_both(base, head, name))
    cells = [_evidence(base, head, name, tolerances) for name in shared]
    judged = {verdict.cell: verdict for verdict in judge(cells, tolerances)}
    verdicts = (judged.get(name) or _one_sided(base, head, name) for name in names)
    ratios = {name: _ratio(base, head, name) for name in judged}
    timed = [cell for cell in cells if cell.speed is not None]
    in_kernel_units = sum(cell.in_kernel_units for cell in timed)
    share = _share(cells, tolerances)
    seen = [cell for cell in timed if not _blind(cell, share)]
    return GateReport(
        str(base.path),
        str(head.path),
        Decision(tuple(verdict for verdict in verdicts if verdict is not None)),
        certainty=(
            *method(base, head, in_kernel_units, len(timed) - in_kernel_units),
            *unseen_accuracies(sum(_accuracy_is_unseen(base, head, cell) for cell in cells)),
            *limits(tolerances, [c.speed.visible(c.tolerance, share) for c in seen if c.speed]),
        ),
        ratios={name: ratio for name, ratio in ratios.items() if ratio is not None},
    )


def judge(cells: Sequence[StoredEvidence], tolerances: Tolerances) -> tuple[Verdict, ...]:
    """The verdict of each cell.

    On identical code the chance that any is called slower is ``alpha`` (Holm). Answers of identical
    code are identical, so accuracies use up nothing of it.
    """
    alpha = tolerances.alpha
    slower = _rejected({c.cell: c.speed.p_above(c.tolerance) for c in cells if c.speed}, alpha)
    faster = _rejected({c.cell: c.speed.p_below(c.tolerance) for c in cells if c.speed}, alpha)
    less_accurate = _rejected(
        {c.cell: p_less_accurate(c.accuracy, tolerances) for c in cells if c.accuracy}, alpha
    )
    less_accurate |= {c.cell for c in cells if c.left_margin}
    share = _share(cells, tolerances)
    return tuple(
        _verdict(
            cell,
            _TestResult(
                slower=cell.cell in slower,
                faster=cell.cell in faster,
                less_accurate=cell.cell in less_accurate,
                blind=_blind(cell, share),
            ),
        )
        for cell in cells
    )


def _share(cells: Sequence[StoredEvidence], tolerances: Tolerances) -> float:
    """The part of ``alpha`` that Holm's procedure tests the first cell at."""
    return tolerances.alpha / max(1, sum(cell.speed is not None for cell in cells))


def _blind(cell: StoredEvidence, share: float) -> bool:
    """Whether nothing is known of its time."""
    return cell.speed is None or cell.speed.visible(0.0, share) > MAX_DETECTABLE_SLOWDOWN


def _rejected(p_values: Mapping[str, float], alpha: float) -> set[str]:
    found = holm([*p_values.values()], alpha)
    return {cell for cell, rejected in zip(p_values, found, strict=True) if rejected}


def _verdict(cell: StoredEvidence, result: _TestResult) -> Verdict:
    status: Status = "same"
    if result.less_accurate:
        status = "less accurate"
    elif result.slower or result.faster:
        status = "slower" if result.slower else "faster"
    elif result.blind and (cell.speed is not None or cell.accuracy is None):
        status = "unclear"
    return Verdict(
        cell.cell,
        status,
        "; ".join(_reasons(cell, result)),
        regressed=result.slower or result.less_accurate,
        base_ms=cell.ms[0] if cell.ms else None,
        head_ms=cell.ms[1] if cell.ms else None,
        slowdown=cell.speed.factor if cell.speed else None,
        loss=loss(cell.accuracy) if cell.accuracy else None,
        launches=cell.launches,
    )


def _reasons(cell: StoredEvidence, result: _TestResult) -> Iterator[str]:
    if cell.left_margin:
        yield "its accuracy left its margin"
    elif result.less_accurate:
        yield "it lost more accuracy than is tolerated"
    if cell.speed is None:
        yield "its time was not stored on both sides"
    elif result.slower:
        if cell.same_files:
            yield "its files are the same on both sides, so the cause is how it was run"
        yield NOT_REPEATED
    elif result.blind and not result.faster:
        yield "it was disturbed so much that not even twice the time would show a change"


def _names(*sides: StoredResults) -> list[str]:
    """Cells of the sides, each once."""
    return [*dict.fromkeys(row.cell for side in sides for run in side.runs for row in run.rows)]


def _on_both(base: StoredResults, head: StoredResults, cell: str) -> bool:
    rows = [find_row(side, cell) for side in (base, head)]
    return all(row is not None and was_measured(row) for row in rows)


def _evidence(
    base: StoredResults, head: StoredResults, cell: str, tolerances: Tolerances
) -> StoredEvidence:
    before, after = (figures.median_ms(side, cell) for side in (base, head))
    accuracy, left = accuracy_evidence(base, head, cell), left_margin(base, head, cell)
    if before is None or after is None:
        return StoredEvidence(cell, accuracy=accuracy, left_margin=left)
    speed, in_kernel_units = _speed(base, head, cell)
    return StoredEvidence(
        cell,
        (before, after),
        speed,
        in_kernel_units,
        max(tolerances.slowdown, tolerances.absolute_ms / before),
        accuracy,
        min(figures.launch_count(side, cell) for side in (base, head)),
        left,
        same_files(base, head, cell),
    )


def _accuracy_is_unseen(base: StoredResults, head: StoredResults, cell: StoredEvidence) -> bool:
    """Whether both sides have an accuracy, and they cannot be compared."""
    rows = [find_row(side, cell.cell) for side in (base, head)]
    known = all(row is not None and row.accuracy is not None for row in rows)
    return known and cell.accuracy is None


def _speed(base: StoredResults, head: StoredResults, cell: str) -> tuple[Change | None, bool]:
    """How times changed, and whether they are in units of a kernel."""
    before, after = (figures.kernel_units(side, cell) for side in (base, head))
    if before is not None and after is not None:
        return figures.change(before, after, figures.KERNEL_UNITS), True
    before, after = (figures.shortest_times(side, cell) for side in (base, head))
    if before is not None and after is not None:
        return figures.change(before, after, figures.SHORTEST), False
    return None, False


def _ratio(base: StoredResults, head: StoredResults, cell: str) -> RatioChange | None:
    before, after = (figures.speed_ratios(side, cell) for side in (base, head))
    if before is None or after is None:
        return None
    changed = figures.change(before, after, figures.RATIOS)
    return RatioChange(before.mean, after.mean, changed.factor)


def _one_sided(base: StoredResults, head: StoredResults, cell: str) -> Verdict | None:
    """The verdict of a cell that ran on one side at most; None where nobody expected it to run."""
    ours, theirs = (find_row(side, cell) for side in (base, head))
    if theirs is not None and was_measured(theirs):
        return Verdict(cell, "new", _absence("BASE", ours), head_ms=figures.median_ms(head, cell))
    if theirs is not None and theirs.status == "failed":
        failed_before = ours is not None and ours.status == "failed"
        reason = theirs.reason or "no reason was kept"
        return Verdict(cell, "failed", reason, regressed=not failed_before)
    if ours is None or not was_measured(ours):
        return None
    base_ms = figures.median_ms(base, cell)
    return Verdict(cell, "missing", _absence("HEAD", theirs), regressed=True, base_ms=base_ms)


def _absence(side: str, row: Row | None) -> str:
    if row is None:
        return f"{side} does not have it"
    return f"it did not run in {side}: {row.reason or 'no reason was kept'}"
