"""PaddleSlim's post-training quantization: with its defaults, and as the published table had it.

Its program runs on Paddle as it is, elsewhere as the ONNX graph that paddle2onnx makes of it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fqbench.backends import backend as backend_of
from fqbench.backends import unversioned
from fqbench.convert.environment import PROGRAMS
from fqbench.methods.record import Method, ModelPlan
from fqbench.methods.toolkits import calibrated, toolkit_method
from fqbench.steps import Needs, Step

LIBRARIES = ("paddlepaddle", "paddleslim", "numpy")
"""What its programs depend on."""

EXPORTING = ("paddlepaddle", "paddle2onnx", "onnx", "onnxruntime")
"""What the graphs that are made of them depend on, too."""

SOURCE = "paddle"
"""The backend whose FP32 form it quantizes."""


def _plan(model: ModelPlan, backend: str, *, published: bool) -> Step:
    from fqbench.methods.paddleslim.step import PROGRAM, export, quantize

    program = calibrated(
        model,
        "paddleslim",
        quantize,
        {"program": model.fp32(SOURCE), "published": published},
        libraries=LIBRARIES,
        environment=PROGRAMS,
        of=published,
    )
    if Path(PROGRAM).suffix in backend_of(unversioned(backend)).loads:
        return program
    return model.step(
        "paddleslim_onnx",
        {"program": program, **model.read(model.images.calibration[:1])},
        EXPORTING,
        1,
        function=export,
        needs=Needs(environment=PROGRAMS, cores=1),
        of=published,
    )


def _method(name: str, label: str, *, published: bool) -> Method:
    return toolkit_method(
        name,
        label,
        backends=("onnxruntime", "openvino", "paddle"),
        environment=PROGRAMS,
        plan=partial(_plan, published=published),
        packages=(*LIBRARIES, "paddle2onnx"),
        quick=False,
    )


DEFAULT = _method("paddleslim_ptq", "PaddleSlim PTQ", published=False)
"""``quant_post_static`` with its defaults: ranges by ``hist``, weights per channel."""

PUBLISHED = _method("paddleslim_published", "PaddleSlim PTQ as published", published=True)
"""As FastDeploy's one-click tool, which made the published table, calls it: ranges by ``avg``,
convolutions and fully connected layers."""
