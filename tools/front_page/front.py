"""The table of the front page: one line a model, one column a method on a runtime."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fqbench.backends import backends, label_of, unversioned
from fqbench.measure.stats import Interval
from fqbench.methods import DEFAULT
from fqbench.methods import methods as known_methods
from fqbench.precisions import label_of as precision_label
from fqbench.report.table import interval, method_label
from tools.front_page.judged import best_float, is_sure, keeps, times_as_fast, winner
from tools.front_page.runs import SYNTHETIC, Row, by_model

NOTHING = "-"
DEVICE = "cpu"

HOMES = {
    "modelopt": ("onnxruntime",),
    "nncf": ("openvino",),
    "nncf_accuracy": ("openvino",),
    "nncf_advised": ("openvino",),
    "ort_static": ("onnxruntime",),
    "ort_advised": ("onnxruntime",),
    "paddleslim_ptq": ("paddle", "onnxruntime"),
    "paddleslim_published": ("paddle", "onnxruntime"),
}
"""The runtimes that a toolkit writes its files for: the table leaves its others to the longer one.
Of methods that are not named here, all are shown."""

Column = tuple[str, str]
"""A backend and a method."""


def table(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    shown = [
        row for row in rows if row.device == DEVICE and row.backend == unversioned(row.backend)
    ]
    columns = columns_of(shown)
    heads = ("Model", "Best float", *map(_head, columns))
    lines = [heads, ("---",) * len(heads)]
    lines += [_line(of_it, columns) for of_it in by_model(shown).values()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def columns_of(rows: Iterable[Row]) -> tuple[Column, ...]:
    """Those with a figure: fqbench's own first, then method by method."""
    there = {
        (row.backend, row.maker): None
        for row in rows
        if row.maker is not None and row.status != "unsupported" and _is_at_home(row)
    }
    # What is not installed here comes last.
    methods = [*known_methods(), *(maker for _, maker in there)]
    order = [*backends(), *(backend for backend, _ in there)]
    ranked = sorted(there, key=lambda column: (methods.index(column[1]), order.index(column[0])))
    return tuple((backend, str(maker)) for backend, maker in ranked)


def escaped(text: str) -> str:
    """A text of a results file, which must not add cells or HTML."""
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("*", "\\*")):
        text = text.replace(sign, safe)
    return text


def milliseconds(value: float) -> str:
    """Three digits or more."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def points(row: Row) -> str:
    """The drop with its interval; agreement where accuracy is not known."""
    if row.needs is None and row.drop is not None:
        low, high = row.drop.ci95
        return interval(Interval(row.drop.value, low, high))
    return NOTHING if row.agreement is None else f"agrees {row.agreement:.3f}"


def _is_at_home(row: Row) -> bool:
    return row.maker is not None and row.backend in HOMES.get(row.maker, (row.backend,))


def _head(column: Column) -> str:
    backend, maker = column
    made = "fqbench" if maker == DEFAULT else escaped(method_label(maker))
    return f"{made},<br>{escaped(label_of(backend))}"


def _line(rows: Sequence[Row], columns: Sequence[Column]) -> tuple[str, ...]:
    first = rows[0]
    best, fastest = best_float(rows), winner(rows)
    found = {(row.backend, row.maker): row for row in rows if not row.is_float}
    synthetic = "\\*" if first.weights == SYNTHETIC else ""
    return (
        f"{escaped(first.model)}{synthetic}",
        _float(best, fastest),
        *(_cell(found.get(column), rows, best, fastest) for column in columns),
    )


def _float(best: Row | None, fastest: Row | None) -> str:
    if best is None or best.latency_ms is None:
        return NOTHING
    ms = _strong(milliseconds(best.latency_ms.p50), best is fastest)
    return f"{ms}<br>{escaped(label_of(best.backend))} {escaped(precision_label(best.precision))}"


def _cell(row: Row | None, rows: Sequence[Row], best: Row | None, fastest: Row | None) -> str:
    if row is None or row.status == "unsupported":
        return NOTHING
    if row.latency_ms is None:
        return escaped(row.status)
    ms, times = milliseconds(row.latency_ms.p50), times_as_fast(row, best)
    timed = _strong(ms, row is fastest) + ("" if times is None else f" ({times:.2f}x)")
    if row.slowdown is not None:
        return f"{timed}<br>FP32 kept"
    return f"{timed}<br>{points(row)}{_mark(rows, row)}"


def _mark(rows: Sequence[Row], row: Row) -> str:
    """What is behind a drop: nothing where it keeps the margin."""
    if row.drop is None or row.needs is not None:
        return ""
    return ("" if keeps(rows, row) else " over") if is_sure(rows, row) else " ?"


def _strong(text: str, strong: bool) -> str:
    return f"**{text}**" if strong else text
