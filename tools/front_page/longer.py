"""The longer table: every row, with the time to make it, its size, and its layers in INT8."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fqbench.backends import label_of
from fqbench.precisions import label_of as precision_label
from fqbench.report.table import method_label, metric_label
from tools.front_page.front import NOTHING, escaped, milliseconds, points
from tools.front_page.judged import best_float, margin, times_as_fast
from tools.front_page.runs import SYNTHETIC, Row, by_model

COLUMNS = (
    "Model",
    "Runtime",
    "Model made by",
    "ms",
    "Times best float",
    "Times FP32 there",
    "Accuracy",
    "Drop or agreement",
    "Margin",
    "Made in",
    "MB",
    "INT8 layers",
)


def table(rows: Sequence[Row]) -> str:
    """The table in Markdown, without what no method makes for a runtime."""
    lines: list[Sequence[str]] = [COLUMNS, ("---",) * len(COLUMNS)]
    for of_it in by_model(rows).values():
        lines += [_line(row, of_it) for row in of_it if row.status != "unsupported"]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def reasons(rows: Sequence[Row]) -> Iterator[str]:
    """Why rows have no figures, each reason once for all models that it holds for."""
    models: dict[str, list[str]] = {}
    for row in rows:
        if row.reason:
            where = ", ".join(filter(None, (_backend(row), _made(row))))
            models.setdefault(f"{where}: {row.status}: {escaped(row.reason)}", []).append(row.model)
    for told, found in models.items():
        yield f"{told} ({', '.join(map(escaped, dict.fromkeys(found)))})"


def _line(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    best = best_float([each for each in rows if each.device == row.device])
    times, allowed = times_as_fast(row, best), margin(rows, row)
    judged = row.drop is not None and row.needs is None
    synthetic = "\\*" if row.weights == SYNTHETIC else ""
    return (
        f"{escaped(row.model)}{synthetic}",
        _backend(row),
        _made(row),
        _latency(row),
        NOTHING if times is None else f"{times:.2f}",
        NOTHING if row.ratio is None else _interval(row.ratio.value, row.ratio.ci95),
        NOTHING
        if row.accuracy is None
        else f"{row.accuracy:.2f} {escaped(metric_label(row.metric))}",
        points(row),
        NOTHING if allowed is None or not judged else f"{allowed:g}",
        NOTHING if row.quantize_s is None else f"{row.quantize_s:.0f} s",
        NOTHING if row.size_mb is None else f"{row.size_mb:.2f}",
        _layers(row),
    )


def _backend(row: Row) -> str:
    label = label_of(row.backend)
    return escaped(label if row.device == "cpu" else f"{label} {row.device.upper()}")


def _made(row: Row) -> str:
    return escaped(precision_label(row.precision) if row.is_float else method_label(row.maker))


def _latency(row: Row) -> str:
    if row.latency_ms is None:
        return escaped(row.status)
    ms, ends = milliseconds(row.latency_ms.p50), row.latency_ms.ci95
    kept = "" if row.slowdown is None else ", FP32 kept"
    if ends is None:
        return f"{ms}{kept}"
    return f"{ms} ({' to '.join(map(milliseconds, ends))}){kept}"


def _interval(value: float, ends: tuple[float, float]) -> str:
    return f"{value:.2f} ({ends[0]:.2f} to {ends[1]:.2f})"


def _layers(row: Row) -> str:
    if row.int8_convolutions is None or row.is_float:
        return NOTHING
    of = "" if row.convolutions is None else f" of {row.convolutions}"
    return f"{row.int8_convolutions}{of}"
