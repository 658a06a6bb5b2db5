"""ONNX to a Paddle inference model, and back by paddle2onnx.

Both import native code and run inside a child process.
"""

from __future__ import annotations

from pathlib import Path

import onnx

from fqbench.errors import StepError


def onnx_to_paddle(source: Path, folder: Path) -> None:
    """Write the canonical ONNX file ``source`` as a Paddle inference model into ``folder``.

    Raises StepError naming the operator that has no form in Paddle.
    """
    from fqbench.convert.paddle_writer import write_program

    write_program(onnx.load(str(source)), folder)


def paddle_to_onnx(model: Path, params: Path, target: Path) -> None:
    """Write a Paddle inference model, which holds no NMS, as ONNX by paddle2onnx.

    Raises StepError where paddle2onnx cannot convert it.
    """
    import paddle2onnx

    data = paddle2onnx.export(
        str(model),
        str(params),
        opset_version=13,
        auto_upgrade_opset=True,
        enable_onnx_checker=True,
        enable_optimize=True,
    )
    if not data:
        raise StepError(f"paddle2onnx cannot convert {model.name} to ONNX")
    target.write_bytes(data)
