"""NNCF, OpenVINO's quantizer: by its defaults, as its guide advises, and with accuracy control."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fqbench.backends import backend as backend_of
from fqbench.backends import unversioned
from fqbench.methods.nncf.environment import ENVIRONMENT
from fqbench.methods.record import Method, ModelPlan
from fqbench.methods.toolkits import calibrated, toolkit_method
from fqbench.steps import Files, Step

LIBRARIES = ("nncf", "openvino", "onnx", "onnxruntime", "numpy")
"""What its files depend on."""

MAX_DROP = 1.0
"""Points that accuracy control may lose where a model has no margin: NNCF's own default."""


def _form(backend: str) -> str:
    """OpenVINO's own format where the backend loads that, else an ONNX graph."""
    from fqbench.methods.nncf.step import IR_GRAPH

    own = Path(IR_GRAPH).suffix in backend_of(unversioned(backend)).loads
    return "ir" if own else "onnx"


def _plan(model: ModelPlan, backend: str, *, advised: bool) -> Step:
    from fqbench.methods.nncf.step import quantize

    form = _form(backend)
    return calibrated(
        model,
        "nncf",
        quantize,
        {"canonical": model.canonical, "advised": advised, "form": form},
        libraries=LIBRARIES,
        environment=ENVIRONMENT,
        of=(advised, form),
    )


def _controlled(model: ModelPlan, backend: str) -> Step:
    from fqbench.methods.nncf.step import quantize_controlled

    form, drop = _form(backend), model.allowed_drop(backend)
    return calibrated(
        model,
        "nncf_accuracy",
        quantize_controlled,
        {
            "canonical": model.canonical,
            "advised": True,
            "form": form,
            "validating": Files(model.judging),
            "decode": model.decode,
            "metric": model.spec.metric,
            "max_drop": MAX_DROP if drop is None else drop,
        },
        libraries=LIBRARIES,
        environment=ENVIRONMENT,
        of=(form, drop),
    )


_method = partial(
    toolkit_method,
    backends=("onnxruntime", "openvino"),
    environment=ENVIRONMENT,
    # NNCF quantizes ONNX models with these, and does not declare them.
    packages=LIBRARIES,
)

DEFAULT: Method = _method("nncf", "NNCF", plan=partial(_plan, advised=False))
"""``nncf.quantize`` with nothing but its defaults: every range is symmetric."""

ADVISED: Method = _method("nncf_advised", "NNCF as advised", plan=partial(_plan, advised=True))
"""As NNCF's guide to post-training quantization advises.

Activations have a zero point (the preset ``mixed``: for what is not all ReLU), and a model with
attention is said to be a transformer: its norms and scores are left in float, and the channels of
activations are smoothed.
"""

ACCURACY: Method = _method(
    "nncf_accuracy", "NNCF accuracy control", plan=_controlled, learns=True, quick=False
)
"""``nncf.quantize_with_accuracy_control``, else as advised: layers go back to float until no more
than the margin is lost.

That is estimated on calibration images, which carry no labels: by how far answers are from FP32's.
"""
