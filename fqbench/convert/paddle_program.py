"""ONNX to a Paddle inference model by x2paddle, and back by paddle2onnx.

Both import native code and run inside a child process.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import onnx

from fqbench.convert.mend import mend
from fqbench.convert.program import STEM
from fqbench.convert.splits import without_meeting_splits
from fqbench.errors import StepError


def onnx_to_paddle(source: Path, folder: Path) -> None:
    """Write the canonical ONNX file ``source`` as a Paddle inference model into ``folder``.

    Raises StepError naming the operators that x2paddle does not know.
    """
    from x2paddle.decoder.onnx_decoder import ONNXDecoder
    from x2paddle.op_mapper.onnx2paddle.onnx_op_mapper import ONNXOpMapper

    with tempfile.TemporaryDirectory() as scratch:
        try:
            graph = Path(scratch) / source.name
            onnx.save(without_meeting_splits(onnx.load(str(source))), str(graph))
            mapper = ONNXOpMapper(ONNXDecoder(str(graph), enable_onnx_checker=False))
            mapper.paddle_graph.build()
            mapper.paddle_graph.gen_model(scratch)
        except (Exception, SystemExit) as error:
            text = " ".join(str(error).split()) or type(error).__name__
            raise StepError(f"x2paddle cannot convert the model to Paddle: {text}") from error
        for suffix in (".pdmodel", ".pdiparams"):
            written = Path(scratch) / "inference_model" / f"model{suffix}"
            if not written.is_file():
                raise StepError("x2paddle wrote no Paddle model: its output names the operator")
            shutil.copyfile(written, folder / f"{STEM}{suffix}")
    mend(folder)


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
