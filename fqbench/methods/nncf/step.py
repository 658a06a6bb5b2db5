"""The step that quantizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fqbench.isolate import Report
from fqbench.methods.nncf.quantize import quantize_onnx, quantize_openvino
from fqbench.steps.reading import GRAPH, ReadingJob

IR_GRAPH = "model.xml"


class QuantizeByNncf(ReadingJob):
    """``canonical``: the folder of the float graph; ``images`` calibrate; ``preset``: NNCF's, None
    for its default; ``form``: what is written.
    """

    canonical: Path
    preset: str | None
    form: Literal["onnx", "ir"]


@dataclass(frozen=True)
class _Feeds:
    """The tensors of a job's images, read again each time they are gone through."""

    job: QuantizeByNncf
    report: Report

    def __iter__(self) -> Iterator[list[Any]]:
        return self.job.feeds(self.report)


def quantize(job: QuantizeByNncf, report: Report) -> None:
    """Write the INT8 model: ``model.onnx``, or ``model.xml`` and ``model.bin``."""
    source, feeds, count = job.canonical / GRAPH, _Feeds(job, report), len(job.images)
    if job.form == "onnx":
        quantize_onnx(source, job.folder / GRAPH, feeds, count, job.preset)
    else:
        quantize_openvino(source, job.folder / IR_GRAPH, feeds, count, job.preset)
