"""The page of a gate: the verdict, slow-downs against what is tolerated, and all cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fqbench.fileio import write_text
from fqbench.gate.evidence import Tolerances
from fqbench.gate.verdict import GateReport, Verdict
from fqbench.measure.stats import Interval
from fqbench.report import gate as report_gate
from fqbench.report.html.datatable import DataTable, table
from fqbench.report.html.plots import Mark, Plot, intervals
from fqbench.report.html.render import render

FILE = "gate.html"
"""Not that of a run, whose folder may be the same."""

WIDE = frozenset({"Base ms", "Head ms", "Accuracy"})
"""Columns that a phone has no room for beside change and verdict."""

FINE, WORSE, UNKNOWN = "fine", "worse", "unknown"


@dataclass(frozen=True)
class GatePage:
    """From the top to the bottom; ``state``: how the headline looks."""

    headline: str
    state: str
    sides: str
    cautions: tuple[str, ...]
    plot: Plot | None
    table: DataTable
    reasons: tuple[str, ...]
    ratios: DataTable
    certainty: tuple[str, ...]
    machine: tuple[str, ...]


def write(report: GateReport, tolerances: Tolerances, folder: Path) -> Path:
    """Write ``gate.html`` into ``folder``, all of it or nothing; return its path."""
    shown = gate_page(report, tolerances)
    return write_text(folder / FILE, render("gate.html.j2", shown))


def gate_page(report: GateReport, tolerances: Tolerances) -> GatePage:
    """The page of one comparison."""
    decision = report.decision
    shown, quiet = report_gate.ordered(decision)
    worse = any(verdict.regressed for verdict in shown)
    reasons = report_gate.explained(shown).items()
    lines = [report_gate.texts(verdict) for verdict in (*shown, *quiet)]
    ratios = [
        (name, f"{each.base:.2f}", f"{each.head:.2f}", report_gate.change(each.change))
        for name, each in report.ratios.items()
    ]
    return GatePage(
        headline=report_gate.headline(decision),
        state=WORSE if worse else UNKNOWN if decision.exit_code else FINE,
        sides=f"BASE is {report.base}, HEAD is {report.head}.",
        cautions=report.cautions,
        plot=_plot((*shown, *quiet), tolerances),
        table=table("Verdicts, the worst first", report_gate.COLUMNS, lines, wide=WIDE),
        reasons=tuple(f"{', '.join(names)}: {reason}" for reason, names in reasons),
        ratios=table("FP32 time over INT8 time", report_gate.RATIO_COLUMNS, ratios),
        certainty=(*report.certainty, *report_gate.meanings(decision)),
        machine=report.machine,
    )


def tolerated(verdict: Verdict, tolerances: Tolerances) -> float:
    """By how many percent a cell may be slower: the larger of both tolerances of BASE's time."""
    of_time = tolerances.absolute_ms / verdict.base_ms if verdict.base_ms else 0.0
    return 100 * max(tolerances.slowdown, of_time)


def _two_lines(cell: str) -> tuple[str, ...]:
    """The model, and under it what tells its cells apart, which one line may have no room for."""
    model, *rest = cell.rsplit("-", 3)
    return (model, "-".join(rest)) if rest else (model,)


def _change(factor: Interval) -> Interval:
    """A factor in percent more."""
    return Interval(*(100 * (end - 1) for end in (factor.value, factor.low, factor.high)))


def _plot(verdicts: Sequence[Verdict], tolerances: Tolerances) -> Plot | None:
    compared = [(each, each.slowdown) for each in verdicts if each.slowdown is not None]
    if not compared:
        return None
    marks = [
        Mark(
            _two_lines(verdict.cell),
            _change(slowdown),
            verdict.status,
            f"{verdict.cell}\n{report_gate.change(slowdown)}\n{verdict.status}",
            threshold=tolerated(verdict, tolerances),
        )
        for verdict, slowdown in compared
    ]
    lines = [
        (
            verdict.cell,
            *(f"{end:+.2f}" for end in (mark.known.value, mark.known.low, mark.known.high)),
            f"{mark.threshold:+.2f}",
            mark.group,
        )
        for (verdict, _), mark in zip(compared, marks, strict=True)
    ]
    columns = ("Cell", "Change %", "Low", "High", "Tolerated", "Verdict")
    return Plot(
        "Change from BASE to HEAD",
        "Change of time, or of memory where a cell says so, with its 95 % interval; thick ticks are"
        " what is tolerated. The verdict is of all cells together, and stricter than an interval.",
        intervals(marks, "% more than BASE", reference=0.0),
        table("Change in percent", columns, lines),
    )
