"""The gate's verdict as Markdown, for a pull request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fqbench.counting import counted, verb
from fqbench.fileio import write_text
from fqbench.gate.verdict import Decision, GateReport, Status, Verdict, count_cells
from fqbench.measure.stats import Interval
from fqbench.report.table import NOTHING

COLUMNS = ("Cell", "Base ms", "Head ms", "Change", "Accuracy", "Verdict")
RATIO_COLUMNS = ("Cell", "Base", "Head", "Change")
NUMBERS = frozenset({"Base ms", "Head ms", "Change", "Accuracy", "Base", "Head"})

MEANING = (
    "Change is of time, Accuracy in points (HEAD minus BASE); in brackets: 95 % confidence"
    " intervals of a cell by itself."
)
MEASURES = (
    "Of a cell with a measure behind its name, such as memory, figures and change are of that."
)
RATIOS = "FP32 over INT8 time in the fastest rounds; most of the machine cancels out of it."

QUIET: tuple[Status, ...] = ("same", "unchanged")
"""Cells that a reader need not look at."""

MOST_ROWS = 100
"""Rows of a table: a comment of a pull request holds 65536 characters."""

LONGEST_REASON = 300
"""Characters of a failed cell's reason."""

_LINKED = re.compile(r"[@#]|:(?=//)|www(?=\.)|\bGH(?=-)", re.IGNORECASE)
"""Where GitHub finds a mention, an e-mail address, a reference to an issue or a URL."""

_ORDER: tuple[Status, ...] = (
    "failed",
    "less accurate",
    "slower",
    "more memory",
    "missing",
    "unclear",
    "new",
    "faster",
    "less memory",
    "same",
    "unchanged",
)


def write(report: GateReport, folder: Path) -> tuple[Path, Path]:
    """Write ``gate.md`` and ``gate.json`` into ``folder``; return their paths."""
    text = json.dumps(report.to_json(), indent=1, allow_nan=False) + "\n"
    return (
        write_text(folder / "gate.md", markdown(report)),
        write_text(folder / "gate.json", text),
    )


def markdown(report: GateReport) -> str:
    """The verdict: what got worse first, all that did not change collapsed."""
    shown, quiet = ordered(report.decision)
    parts = [f"**{_text(headline(report.decision))}**"]
    parts.append(_list(report.cautions))
    parts.append(_table(COLUMNS, [_row(verdict) for verdict in shown]))
    parts.append(_explanations(shown))
    if quiet:
        rows = _table(COLUMNS, [_row(verdict) for verdict in quiet])
        parts.append(_folded(quiet_line(quiet), rows))
    if report.ratios:
        rows = _table(RATIO_COLUMNS, list(_ratio_rows(report)))
        parts.append(_folded("FP32 / INT8", f"{rows}\n\n{RATIOS}"))
    sides = f"BASE is {report.base}, HEAD is {report.head}."
    parts.append(
        _folded("How sure this is", _list([sides, *report.certainty, *meanings(report.decision)]))
    )
    parts.append(_folded("Machine and versions", _list(report.machine)))
    return "\n\n".join(filter(None, parts)) + "\n"


def headline(decision: Decision) -> str:
    """The answer in a sentence."""
    verdicts = decision.verdicts
    worse = [verdict for verdict in verdicts if verdict.regressed]
    if worse:
        counted = ", ".join(
            f"{len(found)} {status}"
            for status in _ORDER
            if (found := [verdict for verdict in worse if verdict.status == status])
        )
        return f"{len(worse)} of {count_cells(len(verdicts))} got worse: {counted}."
    if decision.exit_code:
        return "Nothing could be compared."
    compared = sum(verdict.status not in ("new", "missing", "unclear") for verdict in verdicts)
    others = len(verdicts) - compared
    rest = f"; {others} could not be compared" if others else ""
    return f"Nothing got worse: {count_cells(compared)} compared{rest}."


def ordered(decision: Decision) -> tuple[list[Verdict], list[Verdict]]:
    """Cells to show, the worst first, and those that did not change."""

    def place(verdict: Verdict) -> tuple[bool, int, float]:
        slowdown = verdict.slowdown.value if verdict.slowdown is not None else 1.0
        return not verdict.regressed, _ORDER.index(verdict.status), -slowdown

    verdicts = sorted(decision.verdicts, key=place)
    shown = [v for v in verdicts if v.regressed or v.status not in QUIET]
    return shown, [v for v in verdicts if v not in shown]


def explained(shown: Iterable[Verdict]) -> dict[str, list[str]]:
    """Reasons that say more than a row does, each with its cells."""
    found: dict[str, list[str]] = {}
    for verdict in shown:
        if verdict.reason and verdict.status not in ("faster", "less memory"):
            found.setdefault(verdict.reason, []).append(verdict.cell)
    return found


def quiet_line(quiet: Sequence[Verdict]) -> str:
    """All cells that did not change in a few words."""
    again = sum(verdict.status == "unchanged" for verdict in quiet)
    which = f"{again} of which {verb(again, 'is', 'are')}"
    if again == len(quiet):
        which = verb(again, "which is", "all of which are")
    skipped = f", {which} the same files on both sides" if again else ""
    return f"{count_cells(len(quiet))} {verb(len(quiet), 'shows', 'show')} no change{skipped}"


def texts(verdict: Verdict) -> tuple[str, ...]:
    """The row of a cell, by ``COLUMNS``."""
    again = ", measured again" if verdict.again else ""
    return (
        verdict.cell,
        _figure(verdict.base_ms, verdict.base_mb),
        _figure(verdict.head_ms, verdict.head_mb),
        change(verdict.slowdown),
        points(verdict.loss),
        f"{verdict.status}{again}",
    )


def milliseconds(value: float | None) -> str:
    """Three digits at least: models take from 0.05 to 2000 ms."""
    if value is None:
        return NOTHING
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _figure(ms: float | None, mb: float | None) -> str:
    return milliseconds(ms) if mb is None else f"{mb:.0f} MB"


def change(factor: Interval | None) -> str:
    """A factor as signed percent, with its interval."""
    if factor is None:
        return NOTHING
    value, low, high = (100 * (end - 1) for end in (factor.value, factor.low, factor.high))
    return f"{_signed(value, 1)} % ({_signed(low, 1)} to {_signed(high, 1)})"


def points(loss: Interval | None) -> str:
    """A loss as a signed change of accuracy, with its interval."""
    if loss is None:
        return NOTHING
    return f"{_signed(-loss.value, 2)} ({_signed(-loss.high, 2)} to {_signed(-loss.low, 2)})"


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def meanings(decision: Decision) -> Iterator[str]:
    """What the columns of the table are."""
    yield MEANING
    if any(verdict.measure is not None for verdict in decision.verdicts):
        yield MEASURES


def _row(verdict: Verdict) -> list[str]:
    cell, *figures, status = texts(verdict)
    shown = f"**{status}**" if verdict.regressed else status
    return [_code(cell).replace("|", "\\|"), *figures, shown]


def _explanations(shown: Sequence[Verdict]) -> str:
    lines = []
    for reason, names in explained(shown[:MOST_ROWS]).items():
        short = reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]} ..."
        lines.append(f"- {', '.join(map(_code, names))}: {_text(short)}")
    return "\n".join(lines)


def _ratio_rows(report: GateReport) -> Iterator[list[str]]:
    for cell, ratio in report.ratios.items():
        sides = (f"{value:.2f}" for value in (ratio.base, ratio.head))
        yield [_code(cell).replace("|", "\\|"), *sides, change(ratio.change)]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts that are Markdown already; empty where there are none."""
    if not rows:
        return ""
    marks = ["--:" if name in NUMBERS else "---" for name in columns]
    shown = [columns, marks, *rows[:MOST_ROWS]]
    left = len(rows) - MOST_ROWS
    more = (
        f"\n\n{counted(left, 'more cell')} {verb(left, 'is', 'are')} in gate.json."
        if left > 0
        else ""
    )
    return "\n".join(f"| {' | '.join(row)} |" for row in shown) + more


def _list(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {_text(sentence)}" for sentence in sentences)


def _folded(summary: str, content: str) -> str:
    if not content:
        return ""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def _code(name: str) -> str:
    """An untrusted name as a code span, in which nothing is a link, a mention or HTML."""
    fence = "`"
    while fence in name:
        fence += "`"
    padding = " " if "`" in name else ""
    return f"{fence}{padding}{' '.join(name.split())}{padding}{fence}"


def _text(text: str) -> str:
    """Untrusted text, in which nothing is Markdown, HTML, a link, a reference or a mention.

    GitHub makes links of the rendered text, where a backslash before a sign is gone: a space of no
    width within what it looks for is still there.
    """
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\n", " ")):
        text = text.replace(sign, safe)
    for sign in "\\`*_[]|~#!$":
        text = text.replace(sign, f"\\{sign}")
    return _LINKED.sub("\\g<0>\u200b", text)
