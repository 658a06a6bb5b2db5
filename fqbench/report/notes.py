"""What stands under the table: what was measured, on what."""

from __future__ import annotations

from collections.abc import Iterable

from fqbench.report.table import METRICS, lines
from fqbench.results import Results, Row


def notes(results: Results) -> tuple[str, ...]:
    """One sentence each: units, data, CPU, threads, versions, cells without figures."""
    machine = results.machine
    cpu, versions = machine["cpu"], machine["versions"]
    threads = machine["threads"]
    return (
        "Latency is the median (p50) of single inferences at batch 1, in milliseconds, of the"
        " runtime alone; FP32 and INT8 were timed in turns in one process. In brackets: 95 %"
        " confidence intervals. Ratio is FP32 over INT8 time.",
        "mAP is COCO's, IoU 0.50 to 0.95; drop is FP32 minus INT8 accuracy in points, on the same"
        " images, its interval from a paired bootstrap over images.",
        _data(results.rows),
        f"CPU: {cpu['model']} ({', '.join(cpu['isa'])}), {cpu['cores']} cores; the number of fixed"
        f" threads is {threads}.",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        *(note for line in lines(results.rows) for note in line.notes),
    )


def _data(rows: Iterable[Row]) -> str:
    described = {
        row.cell.model: (
            f"{row.cell.model} {METRICS[row.metric or 'top1']} on {row.images} images of"
            f" {row.dataset}"
        )
        for row in rows
        if row.images is not None
    }
    listed = ", ".join(described.values()) or "none"
    return f"Data: {listed}; calibration images are never among those evaluated."
