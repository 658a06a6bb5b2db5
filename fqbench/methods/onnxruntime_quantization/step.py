"""The step that quantizes."""

from __future__ import annotations

from pathlib import Path

from fqbench.isolate import Report
from fqbench.methods.onnxruntime_quantization.quantize import quantize_graph
from fqbench.steps.reading import GRAPH, ReadingJob


class QuantizeOnnx(ReadingJob):
    """``canonical``: the folder of the float graph; ``images`` calibrate; ``advised``: whether it
    is called as its guide advises.
    """

    canonical: Path
    advised: bool


def quantize(job: QuantizeOnnx, report: Report) -> None:
    """Write the INT8 model ``model.onnx``."""
    source, target = job.canonical / GRAPH, job.folder / GRAPH
    quantize_graph(source, target, job.feeds(report), advised=job.advised)
