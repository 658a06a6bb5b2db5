"""The step that quantizes, and its call of ModelOpt."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from fqbench.isolate import Report
from fqbench.steps.reading import GRAPH, ReadingJob, load_graph


class QuantizeByModelOpt(ReadingJob):
    """``canonical``: the folder of the float graph; ``images`` calibrate."""

    canonical: Path


def quantize(job: QuantizeByModelOpt, report: Report) -> None:
    """Write the INT8 model ``model.onnx``."""
    import numpy as np
    from modelopt.onnx.quantization import quantize as quantize_onnx

    graph = load_graph(job.canonical).graph
    weights = {tensor.name for tensor in graph.initializer}
    names = [value.name for value in graph.input if value.name not in weights]
    columns = zip(*job.feeds(report), strict=True)
    data = {name: np.concatenate(column) for name, column in zip(names, columns, strict=True)}
    with tempfile.TemporaryDirectory() as scratch:
        # It writes files of its own beside the one that it reads.
        source, target = Path(scratch) / GRAPH, Path(scratch) / "int8.onnx"
        shutil.copyfile(job.canonical / GRAPH, source)
        quantize_onnx(
            str(source),
            calibration_data=data,
            calibration_eps=["cpu"],
            high_precision_dtype="fp32",
            output_path=str(target),
            log_level="ERROR",
        )
        shutil.copyfile(target, job.folder / GRAPH)
