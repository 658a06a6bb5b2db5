"""Inputs and outputs of a model's file; runs in a child process, since files come from anyone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fqbench.errors import UsageError
from fqbench.isolate import Report

Found = dict[str, dict[str, list[int]]]


def inspect_onnx(arguments: dict[str, Any], report: Report) -> Found:
    """Shapes by name of an ONNX file. Raises UsageError where it is none, or cut off."""
    import onnx
    from onnx.external_data_helper import uses_external_data

    path = Path(arguments["model"])
    try:
        model = onnx.load(str(path), load_external_data=False)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's and onnx's own exceptions share no base class
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(f"{path} is not a whole ONNX model: {text}") from error
    if any(uses_external_data(tensor) for tensor in model.graph.initializer):
        raise UsageError(f"{path} keeps its weights in other files: save it as one file")
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    for value in inputs:
        if value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
            raise UsageError(f"{path}: input {value.name!r} is not of type float32")
    return {"inputs": _shapes(inputs), "outputs": _shapes(model.graph.output)}


def _shapes(values: Any) -> dict[str, list[int]]:
    return {
        value.name: [
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else -1
            for dim in value.type.tensor_type.shape.dim
        ]
        for value in values
    }


def inspect_paddle(arguments: dict[str, Any], report: Report) -> Found:
    """Shapes by name of a Paddle inference model. Raises UsageError where it is none."""
    import paddle

    model, params = Path(arguments["model"]), Path(arguments["params"])
    if params.stem != model.stem or params.parent != model.parent:
        raise UsageError(f"{params} must lie beside {model.name} under the same name")
    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    try:
        program, feeds, fetches = paddle.static.load_inference_model(
            str(model.with_suffix("")), executor
        )
    except Exception as error:  # Paddle's native exceptions share no base class
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = lines[-1][:200] if lines else type(error).__name__
        raise UsageError(f"{model} is not a whole Paddle inference model: {text}") from error
    block = program.global_block()
    return {
        "inputs": {name: [int(s) for s in block.var(name).shape] for name in feeds},
        "outputs": {value.name: [int(s) for s in value.shape] for value in fetches},
    }
