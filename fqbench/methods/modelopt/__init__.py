"""NVIDIA's Model Optimizer: its quantization of ONNX graphs, which is made for TensorRT."""

from __future__ import annotations

from fqbench.methods.modelopt.environment import ENVIRONMENT
from fqbench.methods.record import ModelPlan
from fqbench.methods.toolkits import calibrated, toolkit_method
from fqbench.steps import Step

LIBRARIES = ("nvidia-modelopt", "onnx", "onnxruntime", "onnxslim", "onnx-graphsurgeon", "numpy")
"""What its files depend on."""


def _plan(model: ModelPlan, backend: str) -> Step:
    """The same file for every backend."""
    from fqbench.methods.modelopt.step import quantize

    return calibrated(
        model,
        "modelopt",
        quantize,
        {"canonical": model.canonical},
        libraries=LIBRARIES,
        environment=ENVIRONMENT,
        of=None,
    )


METHOD = toolkit_method(
    "modelopt",
    "ModelOpt",
    backends=("onnxruntime", "openvino"),
    environment=ENVIRONMENT,
    plan=_plan,
    packages=LIBRARIES,
    quick=False,
)
"""``modelopt.onnx.quantization.quantize`` with its defaults: S8S8, ranges by entropy.

It calibrates on the CPU, and what is not quantized stays in float32 instead of float16, which CPUs'
runtimes do not run.
"""
