"""NNCF, OpenVINO's quantizer: with its default preset, and with the one named mixed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fqbench.backends import backend as backend_of
from fqbench.backends import unversioned
from fqbench.methods.nncf.environment import ENVIRONMENT
from fqbench.methods.record import Method, ModelPlan
from fqbench.steps import Needs, Step

LIBRARIES = ("nncf", "openvino", "onnx", "onnxruntime", "numpy")
"""What its files depend on."""


def _plan(model: ModelPlan, backend: str, *, preset: str | None) -> Step:
    """The model in OpenVINO's own format where the backend loads that, else as an ONNX graph."""
    from fqbench.methods.nncf.step import IR_GRAPH, quantize

    images = model.images.calibration
    own = Path(IR_GRAPH).suffix in backend_of(unversioned(backend)).loads
    form = "ir" if own else "onnx"
    return model.step(
        "nncf",
        {"canonical": model.canonical, **model.read(images), "preset": preset, "form": form},
        LIBRARIES,
        len(images),
        function=quantize,
        needs=Needs(environment=ENVIRONMENT),
        of=(preset, form),
    )


def _method(name: str, label: str, preset: str | None) -> Method:
    return Method(
        name=name,
        label=label,
        offered=True,
        learns=False,
        images=lambda spec: {},
        backends=("onnxruntime", "openvino"),
        environment=ENVIRONMENT,
        yields="model",
        plan=partial(_plan, preset=preset),
    )


DEFAULT = _method("nncf", "NNCF", None)
"""``nncf.quantize`` with its default preset: every range is symmetric."""

MIXED = _method("nncf_mixed", "NNCF mixed", "mixed")
"""Activations have a zero point."""
