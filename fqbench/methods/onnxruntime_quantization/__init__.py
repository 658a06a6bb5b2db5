"""ONNX Runtime's own quantizer, ``onnxruntime.quantization``."""

from __future__ import annotations

from functools import partial

from fqbench.environments import HERE
from fqbench.methods.record import Method, ModelPlan
from fqbench.methods.toolkits import calibrated, toolkit_method
from fqbench.steps import Step

LIBRARIES = ("onnx", "onnxruntime", "numpy", "ml-dtypes", "sympy")
"""What its files depend on."""

PACKAGES = ("ml-dtypes",)
"""What the quantizer imports and ONNX Runtime does not bring."""

PREPARING = ("sympy",)
"""What the preparation of a graph imports beside, up to ONNX Runtime 1.23."""


def _plan(model: ModelPlan, backend: str, *, advised: bool) -> Step:
    """The same file for every backend: the quantizer knows of one only."""
    from fqbench.methods.onnxruntime_quantization.step import quantize

    return calibrated(
        model,
        "onnxruntime_quantization",
        quantize,
        {"canonical": model.canonical, "advised": advised},
        libraries=LIBRARIES,
        environment=HERE,
        of=advised,
    )


def _method(name: str, label: str, *, advised: bool, packages: tuple[str, ...]) -> Method:
    return toolkit_method(
        name,
        label,
        backends=("onnxruntime", "openvino"),
        environment=HERE,
        plan=partial(_plan, advised=advised),
        packages=packages,
    )


STATIC = _method("ort_static", "onnxruntime.quantization", advised=False, packages=PACKAGES)
"""``quantize_static`` with nothing but its defaults, as widely used exports call it: S8S8, one
scale for a tensor."""

ADVISED = _method(
    "ort_advised",
    "onnxruntime.quantization as advised",
    advised=True,
    packages=(*PACKAGES, *PREPARING),
)
"""As ONNX Runtime's guide "Quantize ONNX Models" advises for x86.

The graph is prepared; activations are unsigned and weights signed (U8S8), per channel, and of 7
bits where the CPU adds pairs of products in 16 bits, which then saturate: without VNNI. Of
transformers, for which it advises ``quantize_dynamic``, activations are rounded by their range in
each inference.
"""
