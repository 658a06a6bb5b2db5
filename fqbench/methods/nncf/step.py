"""The steps that quantize."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx

from fqbench.isolate import Report
from fqbench.methods.nncf.quantize import (
    AccuracyControl,
    Setting,
    quantize_onnx,
    quantize_openvino,
)
from fqbench.methods.transformers import has_attention
from fqbench.spec import Decode
from fqbench.steps.reading import GRAPH, ReadingJob, load_graph

IR_GRAPH = "model.xml"


class QuantizeByNncf(ReadingJob):
    """``canonical``: the folder of the float graph; ``images`` calibrate; ``advised``: whether NNCF
    is called as its guide advises; ``form``: what is written.
    """

    canonical: Path
    advised: bool
    form: Literal["onnx", "ir"]


class QuantizeControlled(QuantizeByNncf):
    """``validating``: the images that tell what is lost, of which at most ``max_drop`` points of
    ``metric`` may be, by the answers that ``decode`` reads.
    """

    validating: tuple[Path, ...]
    decode: Decode
    metric: str
    max_drop: float


@dataclass(frozen=True)
class _Feeds:
    """The tensors of a job's images, read again each time they are gone through."""

    job: QuantizeByNncf
    report: Report

    def __iter__(self) -> Iterator[list[Any]]:
        return self.job.feeds(self.report)


def quantize(job: QuantizeByNncf, report: Report) -> None:
    """Write the INT8 model: ``model.onnx``, or ``model.xml`` and ``model.bin``."""
    _write(job, report, None)


def quantize_controlled(job: QuantizeControlled, report: Report) -> None:
    """As ``quantize``, with accuracy control."""
    from fqbench.methods.nncf.validation import Validation

    images = [job.reading.placed(path) for path in job.validating]
    size = job.reading.preprocess.resize.output
    model = load_graph(job.canonical)
    validation = Validation.of(model, images, job.decode, size, job.metric)
    control = AccuracyControl(job.max_drop, len(images), validation.points)
    _write(job, report, control)


def _write(job: QuantizeByNncf, report: Report, control: AccuracyControl | None) -> None:
    source, feeds, count = job.canonical / GRAPH, _Feeds(job, report), len(job.images)
    setting = advised_setting(load_graph(job.canonical)) if job.advised else Setting()
    if job.form == "onnx":
        quantize_onnx(source, job.folder / GRAPH, feeds, count, setting, control)
    else:
        quantize_openvino(source, job.folder / IR_GRAPH, feeds, count, setting, control)


def advised_setting(model: onnx.ModelProto) -> Setting:
    """What NNCF's guide advises for ``model``."""
    return Setting("mixed", "transformer" if has_attention(model) else None)
