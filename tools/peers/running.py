"""Peers' models run as their own documentation runs them, on one thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fqbench.backends.base import Tensor
from fqbench.graph.executor import session_options
from tools.peers.forms import OPENVINO
from tools.peers.making import Made


class PeerRunner(Protocol):
    """As ``backends.Runner``, without what only fqbench's own backends know."""

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Outputs, in the model's order, for inputs in the model's order."""
        ...


def load(made: Made) -> PeerRunner:
    """What runs a peer's model. Raises what its runtime raises."""
    return _OpenVino(made) if made.form.runtime == OPENVINO else _OnnxRuntime(made)


class _OnnxRuntime:
    """With every optimizer of ONNX Runtime; fqbench's own models are run without one of them."""

    def __init__(self, made: Made) -> None:
        import onnxruntime as ort

        self._session = ort.InferenceSession(
            str(made.path), session_options(1), providers=["CPUExecutionProvider"]
        )
        self._names = [value.name for value in self._session.get_inputs()]

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        outputs: list[Tensor] = self._session.run(None, dict(zip(self._names, inputs, strict=True)))
        return outputs


class _OpenVino:
    """FP32 in float32; the float parts of INT8 in what OpenVINO takes by itself, bfloat16 on AMX.

    OpenVINO binds no thread to a core: nothing that is timed is.
    """

    def __init__(self, made: Made) -> None:
        import openvino

        settings = {
            "INFERENCE_NUM_THREADS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
            **({"INFERENCE_PRECISION_HINT": "f32"} if made.form.kind == "fp32" else {}),
        }
        core = openvino.Core()
        model = core.compile_model(core.read_model(str(made.path)), "CPU", settings)
        self._request = model.create_infer_request()

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        return list(self._request.infer(list(inputs)).values())
