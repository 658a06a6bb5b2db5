"""Whether anything regressed from BASE to HEAD: a pure function of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fqbench.gate import evidence
from fqbench.gate.evidence import AccuracyEvidence, SpeedEvidence, Tolerances
from fqbench.gate.verdict import (
    Decision,
    Status,
    Verdict,
    describe_loss,
    describe_slowdown,
    describe_unclear,
)
from fqbench.measure import stats
from fqbench.measure.measures import Measure
from fqbench.measure.stats import Launches

State = Literal["present", "absent", "failed"]

MEMORY: Measure = "memory"
SLOWER: Status = "slower"
FASTER: Status = "faster"
MORE_MEMORY: Status = "more memory"
LESS_MEMORY: Status = "less memory"


@dataclass(frozen=True)
class CellEvidence:
    """All that is known of a cell that BASE or HEAD has.

    ``reason`` says in one sentence what failed. ``unchanged`` cells run the same files with the
    same code on both sides, so they were not timed. ``again`` is the second measurement of a
    suspect's speed. ``left_margin``: whether HEAD is outside of the margin that BASE kept.
    ``measure``: what is compared in place of latency, as if it were a cell of its own.
    """

    cell: str
    base: State = "present"
    head: State = "present"
    reason: str = ""
    unchanged: bool = False
    speed: SpeedEvidence | None = None
    again: SpeedEvidence | None = None
    accuracy: AccuracyEvidence | None = None
    left_margin: bool = False
    measure: Measure | None = None


@dataclass(frozen=True)
class _Rejections:
    """The cells for which the test of all cells together rejects "no change"."""

    slower: frozenset[str]
    faster: frozenset[str]
    less_accurate: frozenset[str]


def suspects(evidences: Sequence[SpeedEvidence], tolerances: Tolerances) -> tuple[str, ...]:
    """Cells to measure again: those that the first measurement does not show to be the same.

    They look slower than is tolerated, or their interval is too wide, as on a machine that was
    disturbed. This calls nothing worse. What cannot be compared is not a suspect.
    """
    return tuple(
        e.cell
        for e in evidences
        if evidence.problem(e) is None
        and evidence.slowdown(e).high > 1 + evidence.tolerated(e, tolerances)
    )


def confirmed(evidences: Sequence[SpeedEvidence], tolerances: Tolerances) -> tuple[str, ...]:
    """Of the suspects, measured again, those that are slower by more than is tolerated.

    ``evidences`` hold the second measurement alone. The first one selected the suspects, partly
    by chance, but new launches are independent of it: whatever the first said, Holm's procedure at
    ``alpha`` over the suspects wrongly calls any of them slower with a probability of at most
    ``alpha``, and cells that are not suspects are never called slower. So ``alpha`` holds for all
    cells together, and the fewer suspects there are, the smaller the slow-down that is found.
    """
    return _reject(evidences, lambda e: evidence.p_slower(e, tolerances), tolerances.alpha)


def decide(cells: Sequence[CellEvidence], tolerances: Tolerances) -> Decision:
    """The verdict of each cell, in the order of ``cells``.

    A cell is called slower by its second measurement only, see ``confirmed``; less accurate where
    it leaves the margin that BASE kept, or lost more than ``points`` (Holm at ``alpha``; identical
    code gives identical answers, which lost nothing, so this uses up nothing of ``alpha``). It is
    the same where the interval of its slow-down ends within the tolerance, and unclear where it
    does not. Raises ValueError for a cell that neither side has.
    """
    examined = [_with_faults(cell) for cell in cells]
    measured = [c for c in examined if (c.base, c.head) == ("present", "present")]
    first = [c.speed for c in measured if c.speed is not None]
    rejected = _Rejections(
        frozenset(confirmed([c.again for c in measured if c.again is not None], tolerances)),
        frozenset(_reject(first, lambda e: evidence.p_faster(e, tolerances), tolerances.alpha)),
        frozenset(_less_accurate(measured, tolerances)),
    )
    return Decision(tuple(_verdict(cell, rejected, tolerances) for cell in examined))


def holm(p_values: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Which hypotheses are rejected; the chance of rejecting any true one is at most ``alpha``.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979. The p-values (0 to 1) may depend on each other in any way.
    """
    rejected = [False] * len(p_values)
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] > alpha / (len(p_values) - rank):
            break
        rejected[index] = True
    return tuple(rejected)


def _reject(
    evidences: Sequence[SpeedEvidence],
    p_value: Callable[[SpeedEvidence], float],
    alpha: float,
) -> tuple[str, ...]:
    """The cells whose hypothesis Holm's procedure rejects, of those that can be compared."""
    comparable = [e for e in evidences if evidence.problem(e) is None]
    rejected = holm([p_value(e) for e in comparable], alpha)
    return tuple(e.cell for e, found in zip(comparable, rejected, strict=True) if found)


def _with_faults(cell: CellEvidence) -> CellEvidence:
    """The cell, where a side without usable numbers counts as failed."""
    speeds = [speed for speed in (cell.speed, cell.again) if speed is not None]
    points = cell.accuracy
    base = _fault([s.base for s in speeds], None if points is None else points.base)
    head = _fault([s.head for s in speeds], None if points is None else points.head)
    if cell.base == "present" and base is not None:
        cell = replace(cell, base="failed", reason=f"{cell.reason} BASE: {base}".strip())
    if cell.head == "present" and head is not None:
        cell = replace(cell, head="failed", reason=f"{cell.reason} HEAD: {head}".strip())
    return cell


def _fault(times: Sequence[Launches | None], points: NDArray[np.float64] | None) -> str | None:
    """Why a side's numbers are no measurement, None where they are."""
    try:
        for launches in times:
            if launches is not None:
                stats.latency(launches)
    except ValueError as error:
        return str(error)
    if points is not None and not np.isfinite(points).all():
        return "an accuracy is not a number"
    return None


def _less_accurate(cells: Sequence[CellEvidence], tolerances: Tolerances) -> set[str]:
    found = [cell.accuracy for cell in cells if cell.accuracy is not None]
    rejected = holm([evidence.p_less_accurate(e, tolerances) for e in found], tolerances.alpha)
    lost = {e.cell for e, is_rejected in zip(found, rejected, strict=True) if is_rejected}
    return lost | {cell.cell for cell in cells if cell.left_margin}


def _verdict(cell: CellEvidence, rejected: _Rejections, tolerances: Tolerances) -> Verdict:
    return replace(_judged(cell, rejected, tolerances), measure=cell.measure)


def _judged(cell: CellEvidence, rejected: _Rejections, tolerances: Tolerances) -> Verdict:
    if (cell.base, cell.head) == ("present", "present"):
        return _with_accuracy(cell, _speed_verdict(cell, rejected, tolerances), rejected)
    if cell.head == "failed":
        where = "in both" if cell.base == "failed" else "in HEAD only"
        reason = f"failed {where}: {cell.reason}"
        return Verdict(cell.cell, "failed", reason, regressed=cell.base != "failed")
    if cell.head == "present":
        was = f"failed in BASE: {cell.reason}" if cell.base == "failed" else "not in BASE"
        return Verdict(cell.cell, "new", was)
    if cell.base == "absent":
        raise ValueError(f"{cell.cell} is neither in BASE nor in HEAD")
    return Verdict(cell.cell, "missing", "not in HEAD", regressed=cell.base == "present")


def _speed_verdict(cell: CellEvidence, rejected: _Rejections, tolerances: Tolerances) -> Verdict:
    """What the last measurement of the speed says."""
    if cell.unchanged:
        return Verdict(cell.cell, "unchanged", "the same in BASE and HEAD, not timed")
    last = cell.again or cell.speed
    if last is None:
        return Verdict(cell.cell, "unclear", "its speed was not measured")
    problem = evidence.problem(last)
    if problem is not None or last.base is None or last.head is None:
        return Verdict(cell.cell, "unclear", problem or "")
    slowdown, tolerance = evidence.slowdown(last), evidence.tolerated(last, tolerances)
    status, reason = _status(cell, slowdown, tolerance, rejected)
    verdict = Verdict(
        cell.cell,
        status,
        reason,
        status in (SLOWER, MORE_MEMORY),
        slowdown=slowdown,
        launches=len(last.base),
        again=cell.again is not None,
    )
    base, head = (stats.median(side).value for side in (last.base, last.head))
    if cell.measure == MEMORY:
        return replace(verdict, base_mb=base, head_mb=head)
    return replace(verdict, base_ms=1e3 * base, head_ms=1e3 * head)


def _status(
    cell: CellEvidence, slowdown: stats.Interval, tolerance: float, rejected: _Rejections
) -> tuple[Status, str]:
    changed = describe_slowdown(slowdown, cell.measure)
    more, less = (MORE_MEMORY, LESS_MEMORY) if cell.measure == MEMORY else (SLOWER, FASTER)
    if cell.cell in rejected.slower:
        return more, f"{changed}, more than {100 * tolerance:.1f} %; measured twice"
    if cell.again is None and slowdown.low > 1 + tolerance:
        return "unclear", f"{changed}, but was not measured again"
    if cell.again is None and cell.cell in rejected.faster:
        return less, changed
    if slowdown.high <= 1 + tolerance:
        seen = "; not clear at first, measured again" if cell.again else ""
        return "same", f"{changed}, within {100 * tolerance:.1f} %{seen}"
    return "unclear", describe_unclear(slowdown, tolerance, cell.measure)


def _with_accuracy(cell: CellEvidence, verdict: Verdict, rejected: _Rejections) -> Verdict:
    """The verdict with what the accuracy says; where nothing was timed, it alone decides."""
    worse = cell.cell in rejected.less_accurate
    reasons = [verdict.reason]
    if cell.accuracy is not None:
        loss = evidence.loss(cell.accuracy)
        if worse or not loss.low <= 0 <= loss.high:
            reasons.append(describe_loss(loss))
        verdict = replace(verdict, loss=loss)
    if cell.left_margin:
        reasons.insert(0, "left its margin")
    verdict = replace(verdict, reason="; ".join(reasons))
    if worse:
        return replace(verdict, status="less accurate", regressed=True)
    if cell.accuracy is not None and cell.speed is None and not cell.unchanged:
        return replace(verdict, status="same")
    return verdict
