"""What was measured beside latency, a table for each measure that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fqbench.backends import label_of
from fqbench.measure.end_to_end import PARTS, EndToEnd
from fqbench.measure.measures import MEASURES, Measure, NotMeasured
from fqbench.measure.memory import MemoryUse
from fqbench.measure.startup import Startup
from fqbench.measure.stats import Interval
from fqbench.measure.throughput import Throughput
from fqbench.report.table import NOTHING, made_label
from fqbench.results import Row

CELL_COLUMNS = ("Model", "Backend", "Precision")
SHORT_CELL_COLUMNS = ("Model", "Backend", "Prec.")
HOW = "How"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Section:
    """A table with its ``title`` and what its figures mean, a sentence each."""

    title: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    @property
    def numbers(self) -> frozenset[str]:
        """Columns of figures."""
        return frozenset(self.columns) - {*CELL_COLUMNS, *SHORT_CELL_COLUMNS, HOW}


@dataclass(frozen=True)
class _Table:
    """How one measure is shown.

    ``figures``: the texts of its columns, from a figure and whether there is room for intervals and
    milliseconds; else those of the columns ``short``.
    """

    title: str
    columns: tuple[str, ...]
    short: tuple[str, ...]
    figures: Callable[[Any, bool], tuple[str, ...]]
    meaning: str


def sections(rows: Sequence[Row], *, whole: bool) -> tuple[Section, ...]:
    """Tables of those measures that any row has; ``whole``: with intervals."""
    asked = [name for name in MEASURES if any(name in row.measures for row in rows)]
    return tuple(_section(_TABLES[name], name, rows, whole=whole) for name in asked)


def _section(table: _Table, name: Measure, rows: Sequence[Row], *, whole: bool) -> Section:
    measured = [row for row in rows if name in row.measures]
    lines = tuple(_line(table, row, name, whole=whole) for row in measured)
    notes = (table.meaning, *_images(measured, name), *_reasons(measured, name))
    columns = (*CELL_COLUMNS, *table.columns) if whole else (*SHORT_CELL_COLUMNS, *table.short)
    return Section(table.title, columns, lines, notes)


def _line(table: _Table, row: Row, name: Measure, *, whole: bool) -> tuple[str, ...]:
    cell, figure = row.cell, row.measures[name]
    device = "" if cell.device == "cpu" else f" {cell.device.upper()}"
    first = (cell.model, f"{label_of(cell.backend)}{device}", made_label(cell))
    if isinstance(figure, NotMeasured):
        columns = table.columns if whole else table.short
        return (*first, NOT_MEASURED, *[NOTHING] * (len(columns) - 1))
    return (*first, *table.figures(figure, whole))


def _reasons(rows: Sequence[Row], name: Measure) -> Iterator[str]:
    """Why cells have no figure."""
    for row in rows:
        figure = row.measures[name]
        if isinstance(figure, NotMeasured):
            failed = "it failed: " if figure.failed else ""
            yield f"{row.cell.id}: {name} {NOT_MEASURED}: {failed}{figure.reason}"


def _images(rows: Sequence[Row], name: Measure) -> Iterator[str]:
    """Which images were answered end to end, by model."""
    found: dict[str, str] = {}
    for row in rows:
        figure = row.measures[name]
        if isinstance(figure, EndToEnd):
            generated = ", which are generated" if row.weights == "synthetic" else ""
            found[row.cell.model] = f"{row.cell.model} {figure.images} of {row.dataset}{generated}"
    if found:
        yield f"Images: {'; '.join(found.values())}."


def _throughput(figure: Throughput, whole: bool) -> tuple[str, ...]:
    found = _value(figure.images_per_s, whole, 1), _times(figure.ratio, whole)
    return (*found, figure.way) if whole else found


def _memory(figure: MemoryUse, whole: bool) -> tuple[str, ...]:
    return (
        _value(figure.peak_mb, whole, 0),
        f"{figure.before_mb:.0f}",
        f"{figure.runtime_mb:.0f}",
        _value(figure.model_mb, whole, 0),
    )


def _startup(figure: Startup, whole: bool) -> tuple[str, ...]:
    parts = (figure.import_ms, figure.load_ms, figure.first_ms)
    return (
        _value(figure.ms, whole, 0),
        *_shares(parts, whole, 0),
        _times(figure.ratio, whole),
    )


def _end_to_end(figure: EndToEnd, whole: bool) -> tuple[str, ...]:
    return (
        _value(figure.ms, whole, 2),
        *_shares([figure.parts_ms[name] for name in PARTS], whole, 2),
        _times(figure.ratio, whole),
        _times(figure.inference_ratio, whole),
    )


_TABLES: Mapping[Measure, _Table] = {
    "throughput": _Table(
        "Throughput",
        ("Images/s", "Ratio", HOW),
        ("Images/s", "Ratio"),
        _throughput,
        "Throughput is images a second with all cores of the machine, several inferences at once"
        " where the runtime recommends that or it is faster; of the runtime alone. Ratio is that of"
        " the images to FP32's.",
    ),
    "memory": _Table(
        "Memory",
        ("Peak MB", "Python", "Runtime", "The model"),
        ("Peak MB", "Python", "Runtime", "The model"),
        _memory,
        "Peak is the resident memory (10^6 bytes) of a process that loads the model and answers:"
        " Python with NumPy and fqbench, what importing the runtime adds, and what loading the"
        " model and answering add at most. What a GPU holds is not in it.",
    ),
    "startup": _Table(
        "Start-up",
        ("First answer ms", "Import", "Load", "Inference", "Ratio"),
        ("ms", "Import", "Load", "Infer.", "Ratio"),
        _startup,
        "First answer is the time in a fresh process to import the runtime, load the model and run"
        " the first inference, with their shares; files come from the system's memory. Starting"
        " Python and NumPy is not in it. Ratio is FP32's time over it.",
    ),
    "end_to_end": _Table(
        "End to end",
        ("ms", "Decode", "Preprocess", "Inference", "Postprocess", "Ratio", "Alone"),
        ("ms", "Decode", "Prep.", "Infer.", "Post.", "Ratio", "Alone"),
        _end_to_end,
        "End to end is from an image's file to its answer: decoding the file, preprocessing,"
        " inference, postprocessing, with their shares, by fqbench's own code but for the"
        " inference. Ratio is FP32's time over it of the whole; alone, that of the inferences"
        " within it.",
    ),
}


def _value(found: Interval, whole: bool, digits: int) -> str:
    text = f"{found.value:.{digits}f}"
    return f"{text} ({found.low:.{digits}f} to {found.high:.{digits}f})" if whole else text


def _times(found: Interval | None, whole: bool) -> str:
    return NOTHING if found is None else _value(found, whole, 2)


def _shares(parts: Sequence[float], whole: bool, digits: int) -> tuple[str, ...]:
    """Parts as shares of their sum, with their milliseconds where there is room."""
    total = sum(parts)
    shares = [f"{100 * part / total:.0f} %" for part in parts]
    if not whole:
        return tuple(shares)
    return tuple(f"{part:.{digits}f} ({share})" for part, share in zip(parts, shares, strict=True))
