"""The steps that quantize, and that write the program as an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fqbench.convert.program import STEM
from fqbench.isolate import Report
from fqbench.steps.reading import GRAPH, ReadingJob, load_graph
from fqbench.vision.image import read_image

PROGRAM = f"{STEM}.pdmodel"
"""The file of the program; its weights are beside it."""


class QuantizeBySlim(ReadingJob):
    """``program``: the folder of the FP32 program; ``images`` calibrate; ``published``: whether it
    is called as for the published table.
    """

    program: Path
    published: bool


class ExportSlim(ReadingJob):
    """``program``: the folder of the INT8 program; ``images``: what the graph is checked on."""

    program: Path


@dataclass(frozen=True)
class _Images:
    """The images of a job, each read when it is asked for: PaddleSlim goes through them twice."""

    job: QuantizeBySlim
    report: Report

    def __len__(self) -> int:
        return len(self.job.images)

    def __getitem__(self, number: int) -> Sequence[NDArray[Any]]:
        self.report(number, len(self))
        return self.job.reading.feed(read_image(self.job.images[number]))


def quantize(job: QuantizeBySlim, report: Report) -> None:
    """Write the INT8 program: ``model.pdmodel`` and ``model.pdiparams``."""
    from fqbench.methods.paddleslim.quantize import quantize_program

    quantize_program(job.program, job.folder, _Images(job, report), published=job.published)


def export(job: ExportSlim, report: Report) -> None:
    """Write the INT8 program as ``model.onnx`` by paddle2onnx; it is held to what Paddle computes.

    Raises StepError where it cannot be converted, or computes something else.
    """
    from fqbench.convert.paddle_program import paddle_to_onnx
    from fqbench.verify.conversion import check_exported
    from fqbench.verify.difference import ROUNDED

    program, params = job.program / PROGRAM, job.program / f"{STEM}.pdiparams"
    paddle_to_onnx(program, params, job.folder / GRAPH)
    written = load_graph(job.folder)
    check_exported(program, params, written, job.check_feeds(written), ROUNDED)
