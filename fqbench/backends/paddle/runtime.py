"""Paddle Inference with oneDNN on a CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fqbench.backends.base import NO_FP16, Runner, Tensor, unknown
from fqbench.backends.paddle.backend import INT8_OPERATORS
from fqbench.convert.paddle_executor import Predictor, basic_config, import_paddle
from fqbench.convert.program import STEM

SHAPES_CACHED = 10


class PaddleInference:
    """Runs ``model.pdmodel`` with ``model.pdiparams`` of an artifact."""

    def supports(self, device: str, precision: str) -> str | None:
        """See ``Runtime.supports``."""
        if device != "cpu":
            return "fqbench runs Paddle Inference on the CPU only"
        return NO_FP16 if precision == "fp16" else unknown(precision)

    def prepare(self, folder: Path, *, device: str, precision: str, threads: int) -> Runner:
        """See ``Runtime.prepare``."""
        return _Measured(folder, precision, threads)


def import_runtime() -> None:
    """Import Paddle, as its models are loaded."""
    import_paddle()


class _Measured(Predictor):
    """With oneDNN, as it is measured."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        self._folder, self._precision, self._threads = folder, precision, threads
        super().__init__(self._config())

    def int8_convolutions(self) -> int:
        import paddle

        with tempfile.TemporaryDirectory() as folder:
            config = self._config()
            config.enable_save_optim_model(True)
            config.set_optim_cache_dir(folder)
            paddle.inference.create_predictor(config)
            data = (Path(folder) / "_optimized.pdmodel").read_bytes()
        paddle.enable_static()
        program = paddle.static.Program.parse_from_string(data)
        return sum(
            "conv2d" in op.type
            and op.has_attr("mkldnn_data_type")
            and op.attr("mkldnn_data_type") == "int8"
            for op in program.global_block().ops
        )

    def _config(self) -> Any:
        return settings(self._folder, self._precision, self._threads)


def settings(folder: Path, precision: str, threads: int, *, logs: bool = False) -> Any:
    """Paddle's configuration for an artifact as it is measured; ``logs``: whether it may log."""
    model, params = (folder / f"{STEM}{end}" for end in (".pdmodel", ".pdiparams"))
    config = basic_config(model, params, threads, logs=logs)
    config.enable_mkldnn()
    config.set_mkldnn_cache_capacity(SHAPES_CACHED)
    config.switch_ir_optim(True)
    config.enable_memory_optim()
    if precision in INT8_OPERATORS:
        config.enable_mkldnn_int8(INT8_OPERATORS[precision])
    return config


def bare_call(runner: Runner, feed: Sequence[Tensor]) -> Callable[[], object]:
    """Paddle Inference's own calls, as its documentation shows them."""
    predictor: Any = runner.predictor  # type: ignore[attr-defined]
    sources = [predictor.get_input_handle(name) for name in predictor.get_input_names()]
    targets = [predictor.get_output_handle(name) for name in predictor.get_output_names()]

    def call() -> object:
        for handle, value in zip(sources, feed, strict=True):
            handle.copy_from_cpu(value)
        predictor.run()
        return [handle.copy_to_cpu() for handle in targets]

    return call
