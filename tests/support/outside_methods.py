"""Two methods, a precision and a backend as another package would bring them.

Tests copy this module into a package of its own: it imports nothing of the tests.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fqbench.backends import Backend
from fqbench.backends.onnxruntime.runtime import OnnxRuntime
from fqbench.environments import HERE
from fqbench.methods import Method
from fqbench.precisions import Number, Precision
from fqbench.steps import Job
from fqbench.steps.reading import GRAPH, ReadingJob, load_graph, save_graph


class Reading(ReadingJob):
    """``canonical``: the folder of the canonical graph; ``images`` calibrate.

    ``keep_float``: layers that the spec keeps in float.
    """

    canonical: Path
    keep_float: tuple[str, ...]


def nearest_codes(job: Reading, report):
    """A quantization: the largest values end the ranges, weights have the nearest codes."""
    from fqbench.quantize.calibrate import calibrate

    model = load_graph(job.canonical)
    record = calibrate(model, job.feeds(report), "abs_max", job.keep_float, saturates=False)
    record = replace(record, method="nearest", rounded={})
    record.write(job.folder / "quantization.json")
    save_graph(model, job.folder)


def static_qdq(job: Reading, report):
    """A whole model: what ONNX Runtime's own quantizer makes."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Feeds(CalibrationDataReader):
        left = (dict(zip(job.reading.inputs, feed, strict=True)) for feed in job.feeds(report))

        def get_next(self):
            return next(self.left, None)

    quantize_static(
        str(job.canonical / GRAPH),
        str(job.folder / GRAPH),
        Feeds(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )


def by_calibration(function):
    def plan(model, backend):
        images = model.images.calibration
        kept = list(model.spec.offline.keep_float)
        return model.step(
            function.__name__,
            {"canonical": model.canonical, "keep_float": kept, **model.read(images)},
            ("onnx", "onnxruntime", "numpy"),
            len(images),
            function=function,
        )

    return plan


NEAREST = Method(
    name="nearest",
    label="nearest codes",
    offered=True,
    learns=False,
    quick=True,
    images=lambda spec: {},
    backends=None,
    environment=HERE,
    packages=(),
    yields="quantization",
    plan=by_calibration(nearest_codes),
)
STATIC = Method(
    name="static",
    label="static quantizer",
    offered=True,
    learns=False,
    quick=True,
    images=lambda spec: {},
    backends=("onnxruntime",),
    environment=HERE,
    packages=(),
    yields="model",
    plan=by_calibration(static_qdq),
)


class Weights(Job):
    """``canonical``: the folder of the canonical graph."""

    canonical: Path


def tensorfloat32_weights(job: Weights, report):
    """The graph with its weights cut to the bits that tensorfloat32 has."""
    from onnx import TensorProto, numpy_helper

    model = load_graph(job.canonical)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            bits = numpy_helper.to_array(tensor).view(np.uint32) & np.uint32(0xFFFF0000)
            tensor.CopyFrom(numpy_helper.from_array(bits.view(np.float32), tensor.name))
    save_graph(model, job.folder)


TF32 = Precision(
    name="tf32",
    label="TF32",
    weights=Number(16, "float"),
    activations=Number(32, "float"),
    baseline=False,
    calibrates=False,
    kernel="float32",
    network=lambda graph, cell: graph.step(
        "tensorfloat32_weights",
        {"canonical": graph.canonical},
        ("onnx",),
        function=tensorfloat32_weights,
    ),
    runtime_name="tf32",
    method="tensorfloat32",
    method_label="TF32, nothing quantized",
)


class Wrapped(OnnxRuntime):
    """ONNX Runtime, which runs such files as any other in float32."""

    def supports(self, device, precision):
        if device != "cpu" or precision not in ("fp32", "tf32"):
            return "Wrapped runs FP32 and TF32 on the CPU"
        return None

    def prepare(self, folder, *, device, precision, threads):
        return super().prepare(folder, device=device, precision="fp32", threads=threads)


BACKEND = Backend(
    name="wrapped",
    label="Wrapped",
    distributions={"onnxruntime": ("onnxruntime",)},
    loads=(".onnx",),
    environment=HERE,
    runtime="outside_methods:Wrapped",
    import_runtime="fqbench.backends.onnxruntime.runtime:import_runtime",
    side_by_side=True,
    bare_call=None,
    throughput=None,
    time_nodes=None,
    snippet="fqbench.backends.onnxruntime.snippet:snippet",
    conversion=None,
    engine=None,
    float16=None,
    saturates="never",
    int8=None,
)
