"""Executes Paddle's inference programs: what conversions from and to them are checked by."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Tensor = NDArray[Any]

Run = Callable[[Sequence[Tensor]], list[Tensor]]
"""Computes a program's outputs, in its order, for its inputs."""


def as_written(model: Path, params: Path, threads: int) -> Run:
    """What runs a Paddle inference model operator by operator, without any optimization."""
    config = basic_config(model, params, threads)
    config.switch_ir_optim(False)
    return Predictor(config).run


def import_paddle() -> None:
    """Import Paddle, so that it reads programs as they are written."""
    # Paddle 3 would read programs into a representation that its INT8 passes do not know.
    os.environ.setdefault("FLAGS_enable_pir_api", "0")
    import paddle.inference  # noqa: F401


def basic_config(model: Path, params: Path, threads: int, *, logs: bool = False) -> Any:
    """Settings that every model has in common; ``logs``: whether Paddle may log."""
    import_paddle()
    import paddle.inference

    # Its handler allocates memory: where the heap is damaged, a process that crashes would hang.
    paddle.disable_signal_handler()
    config = paddle.inference.Config(str(model), str(params))
    config.disable_gpu()
    if not logs:
        config.disable_glog_info()
    config.set_cpu_math_library_num_threads(threads)
    return config


class Predictor:
    """Runs a program as ``config`` says."""

    def __init__(self, config: Any) -> None:
        import paddle.inference

        self.predictor = paddle.inference.create_predictor(config)
        self._inputs = [
            self.predictor.get_input_handle(n) for n in self.predictor.get_input_names()
        ]
        self._outputs = [
            self.predictor.get_output_handle(n) for n in self.predictor.get_output_names()
        ]

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Outputs, in the program's order, for inputs in its order."""
        for handle, value in zip(self._inputs, inputs, strict=True):
            handle.copy_from_cpu(value)
        self.predictor.run()
        return [handle.copy_to_cpu() for handle in self._outputs]
