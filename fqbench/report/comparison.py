"""The published table beside what was measured: one line each, published above measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from fqbench.backends import label_of
from fqbench.cells import Cell
from fqbench.precisions.own import INT8
from fqbench.report.published import LATER_EDITION, Figures, published_figures
from fqbench.report.table import NOTHING, figures, method_label, metric_label, split
from fqbench.results import Row
from fqbench.tasks.registry import metrics

SIDE = "Figures"
NOTE = "Note"
COLUMNS = (
    "Model",
    "Backend",
    "Device",
    SIDE,
    "FP32 ms",
    "INT8 ms",
    "Ratio",
    "Metric",
    "FP32",
    "INT8",
    "Drop",
    "Margin",
    "Method",
    NOTE,
)
NOT_PUBLISHED = "not in the published table"

_ROUNDING = 0.006
"""How far a ratio may be from its printed times by the rounding of all three."""

HARDWARE = (
    "Published by FastDeploy (quantize.md; where noted, the edition of release 1.0.7): CPU Intel"
    " Xeon Gold 6271C, GPU Tesla T4 with TensorRT 8.4.15, one thread. The same cells differ by up"
    " to 1.6 mAP between the two editions. Measured: on the CPU and with the versions named above."
    " Absolute times are of other hardware and other runtimes: compare ratio and drop, and mind the"
    " method where it differs."
)

Place = tuple[str, str, str]


@dataclass(frozen=True)
class Line:
    """Texts by column; ``opens``: whether it is the first of its model, backend and device.

    ``remark``: of the note, what no other table of the report says.
    """

    texts: tuple[str, ...]
    opens: bool
    remark: str = ""


def comparison(rows: Sequence[Row]) -> tuple[Line, ...]:
    """Every published row with what was measured, and measured ones that were never published.

    Empty where none of ``rows`` is of a published model.
    """
    published = {row.place: row for row in published_figures()}
    models = {place[0] for place in published}
    measured: dict[Place, list[Row]] = {}
    for row in rows:
        if row.cell.model in models:
            measured.setdefault((row.cell.model, row.cell.backend, row.cell.device), []).append(row)
    if not measured:
        return ()
    # A backend that cannot run here and was never published has nothing to show.
    extra = [p for p in measured if p not in published and _ran(measured[p])]
    order = list(dict.fromkeys(place[0] for place in published))
    places = sorted((*published, *extra), key=lambda place: order.index(place[0]))
    pairs = (_pair(place, published.get(place), measured.get(place, [])) for place in places)
    return tuple(chain.from_iterable(pairs))


def _pair(place: Place, published: Figures | None, rows: Sequence[Row]) -> list[Line]:
    fp32, others = split(rows)
    measured = [_measured(place, fp32, int8) for int8 in others]
    found = [_published(published), *(measured or [_measured(place, fp32, None)])]
    head = dict(zip(COLUMNS, (place[0], label_of(place[1]), place[2].upper()), strict=False))
    return [
        Line(
            tuple({**head, **texts}.get(c, NOTHING) for c in COLUMNS),
            opens=index == 0,
            # What was measured, and what its accuracy needs, is in the other table.
            remark=texts[NOTE] if index == 0 or not rows else "",
        )
        for index, texts in enumerate(found)
    ]


def remarks(lines: Sequence[Line]) -> tuple[str, ...]:
    """The lines' remarks, each once for all models of a backend that it is about."""
    about: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        model, backend = line.texts[:2]
        if line.remark:
            about.setdefault((backend, line.remark), []).append(model)
    return tuple(
        f"{backend}, {', '.join(models)}: {remark}" for (backend, remark), models in about.items()
    )


def _published(row: Figures | None) -> dict[str, str]:
    if row is None:
        return {SIDE: "published", NOTE: NOT_PUBLISHED}
    digits = metrics()[row.metric].digits
    notes = ["edition of release 1.0.7"] if row.edition == LATER_EDITION else []
    if abs(row.ratio - row.times_ratio) > _ROUNDING:
        notes.append(f"ratio as published; by its times it is {row.times_ratio:.2f}")
    return {
        SIDE: "published",
        "FP32 ms": f"{row.fp32_ms:.2f}",
        "INT8 ms": f"{row.int8_ms:.2f}",
        "Ratio": f"{row.ratio:.2f}",
        "Metric": metric_label(row.metric),
        "FP32": f"{row.fp32_accuracy:.{digits}f}",
        "INT8": f"{row.int8_accuracy:.{digits}f}",
        "Drop": f"{row.drop:.{digits}f}",
        "Method": method_label(row.method),
        NOTE: "; ".join(notes),
    }


def _measured(place: Place, fp32: Row | None, int8: Row | None) -> dict[str, str]:
    rows = [row for row in (fp32, int8) if row is not None]
    if not rows:
        return {SIDE: "measured", NOTE: f"not measured: {_reason(place)}"}
    needs = next((row.needs for row in rows if row.needs), None)
    reasons = dict.fromkeys(row.reason for row in rows if row.reason)
    weights = ["synthetic weights"] if rows[0].weights == "synthetic" else []
    texts = figures(fp32, int8)
    if needs is not None:
        texts.update({"FP32": NOTHING, "INT8": NOTHING})
    notes = [*weights, *([needs] if needs else []), *map(str, reasons)]
    return {
        SIDE: "measured",
        "Metric": metric_label(rows[0].metric),
        **texts,
        NOTE: "; ".join(notes),
    }


def _reason(place: Place) -> str:
    """Why a published row has no measured one."""
    model, backend, device = place
    cell = Cell(model, backend, "gpu" if device == "gpu" else "cpu", INT8.name)
    return cell.unsupported or "it was not chosen"


def _ran(rows: Iterable[Row]) -> bool:
    return any(row.latency is not None for row in rows)
