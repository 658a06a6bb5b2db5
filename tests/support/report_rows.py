"""Rows, results and samples made by hand, for pages."""

from collections.abc import Iterable
from dataclasses import replace

from fqbench.cells import Cell
from fqbench.measure.stats import Interval, Latency, Launches
from fqbench.results import BestFloat, Results, Row
from fqbench.samples import Group, Samples

MACHINE = {
    "cpu": {"model": "Some CPU", "isa": ["avx2", "fma"], "cores": 2},
    "threads": 1,
    "memory_gb": 23.5,
    "system": "Linux-6.1",
    "versions": {"fqbench": "0.1.0", "python": "3.11.7"},
    "environments": {"other": {"fqbench": "0.1.0", "numpy": "1.26.4"}},
    "pinned": True,
    "reference": {"float32": 39.0, "int8": 80.0, "copy": 13.2, "spread": 0.25},
}


def row(backend: str, precision: str, p50: float, *, model: str = "net", **values) -> Row:
    """A timed row; its median is known to 2 % on either side."""
    known = Interval(p50, 0.98 * p50, 1.02 * p50)
    return Row(
        Cell(model, backend, "cpu", precision),
        "ok",
        latency=Latency(known, 1.1 * p50, 1.5 * p50, p50, 0.95 * p50, 80),
        **{"metric": "mAP", "accuracy": 37.5, "images": 128, "dataset": "val.json", **values},
    )


FP32 = row("onnxruntime", "fp32", 10.0, roofline=Interval(0.9, 0.85, 0.95))
INSIDE = row(
    "onnxruntime",
    "int8",
    4.0,
    accuracy=37.0,
    ratio=Interval(2.5, 2.4, 2.6),
    drop=Interval(0.5, 0.1, 0.9),
    margin=1.0,
    roofline=Interval(0.5, 0.45, 0.55),
)
UNKNOWN = row("paddle", "int8", 3.0, accuracy=37.0, drop=Interval(0.5, -0.1, 1.25), margin=1.0)
OUTSIDE = row("paddle", "int8", 3.0, accuracy=34.0, drop=Interval(3.5, 3.0, 4.0), margin=1.0)
SLOW = row("paddle", "fp32", 12.0)
CRASHED = Row(Cell("net", "openvino", "cpu", "int8"), "failed", "it was killed", metric="mAP")
SKIPPED = Row(Cell("net", "openvino", "cpu", "fp32"), "skipped", "not chosen", metric="mAP")


def against(float_row: Row, *rows: Row) -> tuple[Row, ...]:
    """Rows beside the fastest float, each with the ratio to it, known to 1 %."""

    def ratio(each: Row) -> Interval:
        assert float_row.latency is not None
        assert each.latency is not None
        times = float_row.latency.p50.value / each.latency.p50.value
        return Interval(times, 0.99 * times, 1.01 * times)

    own = replace(float_row, best_float=BestFloat(float_row.cell, Interval(1.0, 1.0, 1.0)))
    return (own, *(replace(r, best_float=BestFloat(float_row.cell, ratio(r))) for r in rows))


ROWS = (*against(FP32, INSIDE, SLOW, UNKNOWN), CRASHED, SKIPPED)


def results(rows: Iterable[Row] = ROWS) -> Results:
    """As one run has them."""
    return Results(MACHINE, tuple(rows), "2024-05-06T07:08:09+00:00")  # type: ignore[arg-type]


def times(ms: float, launches: int = 3) -> Launches:
    """Of a steady cell: launches of two rounds of four times, each launch 1 % slower."""
    return [
        [[1e-3 * ms * (1 + 0.01 * n) * f for f in (0.99, 1.0, 1.0, 1.01)] for _ in range(2)]
        for n in range(launches)
    ]


def samples(rows: Iterable[Row] = ROWS) -> Samples:
    """Times of all rows that have a latency, as if taken in turns."""
    timed = [each for each in rows if each.latency is not None]
    return Samples(
        (Group({r.cell.id: times(r.latency.p50.value) for r in timed if r.latency}, {}),)
    )
