"""A model's report as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from fqbench.measure.stats import Interval
from fqbench.report.table import metric_label
from tools.peers.forms import OWN
from tools.peers.report import ModelReport, Row
from tools.peers.verdict import Comparison

LEGEND = (
    "Fastest: ms in the fastest rounds, which other processes hardly disturbed. Drop: against FP32"
    " on the same runtime, with its 95 % interval. Made in s: with the images in memory, and with"
    " reading them. Beside fqbench: how many times faster the peer is, and by how many points more"
    " accurate; * beyond noise. †: INT8 is not faster here, so that fqbench keeps FP32."
)


def table(report: ModelReport) -> Table:
    """A row for each form."""
    metric = metric_label(report.metric)
    labelled = any(row.accuracy is not None for row in report.rows)
    found = Table(
        *("runtime", "INT8 by", "ms", "fastest", metric if labelled else "agreement", "drop"),
        *("made in s", "with images", "MB"),
        *(f"beside fqbench\non {own.runtime}" for own in OWN.values()),
        title=f"{report.model}, {report.images} images",
        caption=verdict(report),
    )
    for row in report.rows:
        found.add_row(*_line(row, report.comparisons))
    return found


def verdict(report: ModelReport) -> str:
    """Whether a peer is better in both, in one sentence."""
    if report.ahead:
        return f"fqbench is BEHIND {', '.join(report.ahead)}: slower and less accurate"
    if not report.comparisons:
        return "nothing to compare"
    if all(comparison.gain is None for comparison in report.comparisons):
        return "not judged: there is no accuracy without labels"
    return "no peer is both faster and more accurate"


def described(report: ModelReport) -> dict[str, Any]:
    """The report as JSON holds it."""
    return {
        "model": report.model,
        "metric": report.metric,
        "images": report.images,
        "rows": [
            {"name": row.form.name, **asdict(row.form), **_values(row)} for row in report.rows
        ],
        "comparisons": [
            {
                **asdict(comparison),
                "faster": comparison.faster,
                "more_accurate": comparison.more_accurate,
            }
            for comparison in report.comparisons
        ],
        "behind": list(report.ahead),
    }


def _values(row: Row) -> dict[str, Any]:
    return {key: value for key, value in asdict(row).items() if key != "form"}


def _line(row: Row, comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    beside = {c.own: _beside(c) for c in comparisons if c.peer == row.form.name}
    accuracy = f"{row.agreement:.4f}" if row.agreement is not None else _number(row.accuracy)
    return (
        row.form.runtime,
        f"{row.form.maker}: FP32 †" if row.fell_back else row.form.maker,
        "failed" if row.reason is not None else _number(row.ms.value if row.ms else None),
        _number(row.fastest_ms),
        accuracy,
        _interval(row.drop),
        _number(row.seconds, 1),
        _number(row.seconds_with_images, 1),
        _number(row.size_mb),
        *(beside.get(own.name, "") for own in OWN.values()),
    )


def _beside(comparison: Comparison) -> str:
    clear = comparison.faster or comparison.slower
    text = f"{comparison.speedup.value:.2f}{'*' if clear else ''}"
    if comparison.gain is None:
        return text
    clear = comparison.more_accurate or comparison.less_accurate
    return f"{text} {comparison.gain.value:+.2f}{'*' if clear else ''}"


def _interval(value: Interval | None) -> str:
    return "" if value is None else f"{value.value:.2f} ({value.low:.2f} to {value.high:.2f})"


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"
