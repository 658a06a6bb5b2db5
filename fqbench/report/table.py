"""The columns of the published table, one line per model, backend and device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from fqbench.backends import label_of
from fqbench.cells import Cell
from fqbench.measure.margin import Standing, sentence
from fqbench.measure.stats import Interval
from fqbench.methods import methods
from fqbench.precisions import baseline, find_precision, precisions
from fqbench.precisions import label_of as label_of_precision
from fqbench.precisions.own import INT8_FILE
from fqbench.results import Row
from fqbench.tasks.registry import metrics

TO_BEST_FLOAT = "Ratio to best float"
COLUMNS = (
    "Model",
    "Backend",
    "Device",
    "FP32 ms",
    "INT8 ms",
    "Ratio",
    TO_BEST_FLOAT,
    "Of peak",
    "Metric",
    "FP32",
    "INT8",
    "Drop",
    "Margin",
    "Agreement",
    "INT8 layers",
    "Method",
)

NOTHING = "-"
MARKS: dict[Standing, str] = {"inside": " ok", "outside": " over", "not known": " ?"}
"""What stands beside a margin."""


@dataclass(frozen=True)
class Line:
    """Texts of one line, by column; ``notes``: reasons of cells that have no figures, and what is
    not known of a margin.

    ``needs``: what accuracy needs that is not there; the accuracy's texts say the same.
    ``maker``: who made INT8, where it stands beside another one of the same cell, or what the cell
    computes in, where that is not INT8.
    """

    texts: tuple[str, ...]
    against_margin: Standing | None
    notes: tuple[str, ...]
    needs: str | None = None
    maker: str | None = None


def metric_label(name: str | None) -> str:
    """What reports call a metric; its name where the package that has it is not installed."""
    if name is None:
        return NOTHING
    return metrics()[name].label if name in metrics() else name


def method_label(name: str | None) -> str:
    """What reports call how a model was made; its name where the package of it is not installed."""
    if name is None:
        return NOTHING
    if name in methods():
        return methods()[name].label
    labels = {each.method: each.method_label for each in precisions().values()}
    return labels.get(name) or name


def made_label(cell: Cell) -> str:
    """A cell's precision, and who made its model where another one stands beside it."""
    label = label_of_precision(cell.precision)
    if cell.precision == INT8_FILE.name:
        return f"{label} as given"
    return label if cell.method is None else f"{label}, {method_label(cell.method)}"


def lines(rows: Iterable[Row]) -> tuple[Line, ...]:
    """FP32 and INT8 of one model, backend and device side by side.

    INT8 as a file of the user's own holds it has a line of its own.
    """
    grouped = groupby(rows, key=lambda r: (r.cell.model, r.cell.backend, r.cell.device))
    return tuple(line for _, group in grouped for line in _lines(tuple(group)))


def figures(fp32: Row | None, int8: Row | None) -> dict[str, str]:
    """Texts of the columns that hold what was measured."""
    return {
        "FP32 ms": _latency(fp32),
        "INT8 ms": _latency(int8),
        "Ratio": _ratio(int8),
        TO_BEST_FLOAT: _to_best_float(int8),
        "Of peak": _of_peak(fp32, int8),
        "FP32": _accuracy(fp32),
        "INT8": _accuracy(int8),
        "Drop": _drop(int8),
        "Margin": _margin(int8),
        "Agreement": _agreement(int8),
        "INT8 layers": _convolutions(int8),
        "Method": method_label(int8.method if int8 else None),
    }


def _lines(rows: Sequence[Row]) -> tuple[Line, ...]:
    fp32, others = split(rows)
    alone = () if fp32 is None else (_line(fp32, None),)
    return tuple(_line(fp32, int8) for int8 in others) or alone


def is_shown(row: Row) -> bool:
    """Whether a row has a line: not where one of several methods makes no model for its backend."""
    return row.cell.method is None or row.status != "unsupported"


def split(rows: Iterable[Row]) -> tuple[Row | None, tuple[Row, ...]]:
    """Of rows of one model, backend and device, that of FP32, and the others that are shown."""
    first, listed = baseline().name, tuple(filter(is_shown, rows))
    fp32 = next((row for row in listed if row.cell.precision == first), None)
    return fp32, tuple(row for row in listed if row.cell.precision != first)


def _line(fp32: Row | None, int8: Row | None) -> Line:
    rows = [row for row in (fp32, int8) if row is not None]
    cell, metric = rows[0].cell, rows[0].metric
    texts = {
        "Model": f"{cell.model} (synthetic)" if rows[0].weights == "synthetic" else cell.model,
        "Backend": label_of(cell.backend),
        "Device": cell.device.upper(),
        "Metric": metric_label(metric),
        **figures(fp32, int8),
    }
    notes = tuple(chain.from_iterable(map(_notes, rows)))
    needs = next((row.needs for row in rows if row.needs), None)
    held = int8.against_margin if int8 else None
    maker = _maker(int8.cell) if int8 else None
    return Line(tuple(texts[column] for column in COLUMNS), held, notes, needs, maker)


def _maker(cell: Cell) -> str | None:
    if cell.precision == INT8_FILE.name:
        return "the file as given"
    label = label_of_precision(cell.precision)
    if f"{label} ms" not in COLUMNS:
        return f"in {label}"
    return None if cell.method is None else f"by {method_label(cell.method)}"


def _notes(row: Row) -> Iterator[str]:
    if row.reason:
        yield f"{row.cell.id}: {row.status}: {row.reason}"
    if row.drop is not None and row.margin is not None and row.against_margin == "not known":
        yield f"{row.cell.id}: {sentence(row.drop, row.margin, row.images)}"


def _latency(row: Row | None) -> str:
    if row is None:
        return NOTHING
    label = label_of_precision(row.cell.precision)
    other = "" if f"{label} ms" in COLUMNS else f" ({label})"
    if row.latency is None:
        return NOTHING if row.status == "ok" else f"{row.status}{other}"
    best = " (best float)" if is_best_float(row) else ""
    return f"{row.latency.p50.value:.2f}{other}{best}"


def is_best_float(row: Row) -> bool:
    """Whether it is the fastest float of its model and device."""
    return row.best_float is not None and row.best_float.cell == row.cell


def _ratio(row: Row | None) -> str:
    if row is None or row.ratio is None:
        return NOTHING
    return interval(row.ratio)


def _to_best_float(row: Row | None) -> str:
    if row is None or row.best_float is None:
        return NOTHING
    return "1" if is_best_float(row) else interval(row.best_float.ratio)


def _of_peak(fp32: Row | None, int8: Row | None) -> str:
    shares = [row.roofline if row else None for row in (fp32, int8)]
    if shares == [None, None]:
        return NOTHING
    return " / ".join(f"{100 * s.value:.0f} %" if s else NOTHING for s in shares)


def _accuracy(row: Row | None) -> str:
    if row is None or row.accuracy is None:
        return (row.needs if row else None) or NOTHING
    return f"{row.accuracy:.2f}"


def _agreement(row: Row | None) -> str:
    return NOTHING if row is None or row.agreement is None else f"{row.agreement:.4f}"


def _drop(row: Row | None) -> str:
    if row is None or row.drop is None:
        return NOTHING
    return interval(row.drop)


def _margin(row: Row | None) -> str:
    # Where accuracy cannot be measured, a margin would only look as if it held.
    if row is None or row.margin is None or row.needs is not None:
        return NOTHING
    mark = MARKS[row.against_margin] if row.against_margin else ""
    return f"{row.margin:g}{mark}"


def _convolutions(row: Row | None) -> str:
    if row is None or row.int8_convolutions is None:
        return NOTHING
    known = find_precision(row.cell.precision)
    if known is not None and known.weights.kind == "float":
        return NOTHING
    if row.convolutions is None:
        return f"{row.int8_convolutions}"
    return f"{row.int8_convolutions} of {row.convolutions}"


def interval(found: Interval | None) -> str:
    """A value and where it is between: ``2.42 (2.40 to 2.46)``."""
    if found is None:
        return NOTHING
    # Adding zero takes the sign from what is rounded to it.
    value, low, high = (round(each, 2) + 0.0 for each in (found.value, found.low, found.high))
    return f"{value:.2f} ({low:.2f} to {high:.2f})"
