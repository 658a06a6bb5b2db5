"""ONNX Runtime on a CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fqbench.backends.base import Runner, Tensor, missing

MODEL = "model.onnx"

INT8_LAYERS = ("QLinearConv", "ConvInteger", "QGemm", "MatMulIntegerToFloat")
"""Convolutions and fully connected layers of the optimized graph that multiply integers."""

OVEREAGER = "WeightBiasQuantization"
"""ONNX Runtime's optimizer that quantizes the weights of a convolution left in float, with one
scale for all channels, where quantized tensors lie before and behind it."""


class OnnxRuntime:
    """Runs ``model.onnx`` of an artifact."""

    def supports(self, device: str, precision: str) -> str | None:
        """See ``Runtime.supports``."""
        if device != "cpu":
            return "fqbench runs ONNX Runtime on the CPU only"
        return missing("onnxruntime")

    def prepare(self, folder: Path, *, precision: str, threads: int) -> Runner:
        """See ``Runtime.prepare``."""
        return _Session(folder / MODEL, threads, integers=precision != "fp32")


def session_options(threads: int) -> Any:
    """Options of a session as it is measured, with ``threads`` threads."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def open_session(model: Path | bytes, options: Any) -> Any:
    """A session of a model's file or bytes on the CPU."""
    import onnxruntime as ort

    return ort.InferenceSession(
        model if isinstance(model, bytes) else str(model),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=[OVEREAGER],
    )


class _Session:
    def __init__(self, path: Path, threads: int, *, integers: bool) -> None:
        self._path, self._threads, self._integers = path, threads, integers
        self.session = open_session(path, self._options())
        self._inputs = [value.name for value in self.session.get_inputs()]

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        outputs: list[Tensor] = self.session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        return outputs

    def _options(self) -> Any:
        options = session_options(self._threads)
        if not self._integers:
            # Pairs of a graph made for another runtime round, and nothing is fused with them.
            options.add_session_config_entry("session.disable_quant_qdq", "1")
        return options

    def int8_convolutions(self) -> int:
        import onnx

        from fqbench.lower.rewrite import STAND_IN_SUFFIX

        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "optimized.onnx"
            options = self._options()
            options.optimized_model_filepath = str(target)
            open_session(self._path, options)
            graph = onnx.load(str(target), load_external_data=False).graph
        stand_in = f"{STAND_IN_SUFFIX}__codes"
        return sum(
            node.op_type in INT8_LAYERS and not any(name.endswith(stand_in) for name in node.input)
            for node in graph.node
        )
