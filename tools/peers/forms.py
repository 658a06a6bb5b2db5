"""The forms of a model that are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ONNX_RUNTIME, PADDLE, OPENVINO = "ONNX Runtime", "Paddle Inference", "OpenVINO"


@dataclass(frozen=True)
class Form:
    """A way to run a model: who made it (``maker``), and the ``runtime`` that runs it."""

    runtime: str
    maker: str
    kind: Literal["fp32", "fqbench", "peer"]

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"{self.maker} on {self.runtime}"


FP32 = {runtime: Form(runtime, "FP32", "fp32") for runtime in (ONNX_RUNTIME, PADDLE, OPENVINO)}
OWN = {runtime: Form(runtime, "fqbench", "fqbench") for runtime in (ONNX_RUNTIME, PADDLE, OPENVINO)}
ORT_DEFAULT = Form(ONNX_RUNTIME, "onnxruntime.quantization", "peer")
ORT_ADVISED = Form(ONNX_RUNTIME, "onnxruntime.quantization as advised", "peer")
NNCF_DEFAULT = Form(OPENVINO, "NNCF", "peer")
NNCF_MIXED = Form(OPENVINO, "NNCF mixed", "peer")

FORMS = (
    *(FP32[ONNX_RUNTIME], OWN[ONNX_RUNTIME], ORT_DEFAULT, ORT_ADVISED),
    *(FP32[PADDLE], OWN[PADDLE]),
    *(FP32[OPENVINO], OWN[OPENVINO], NNCF_DEFAULT, NNCF_MIXED),
)
