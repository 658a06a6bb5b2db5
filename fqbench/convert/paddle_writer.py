"""Writes a canonical ONNX graph as a Paddle inference program, operator by operator.

Operators are written in the forms that oneDNN folds into convolutions and runs fast: biases added
along channels, ``swish`` and ``relu6`` and ``shuffle_channel`` as one operator each. What nothing
reads then, as the sigmoid of a ``swish``, saving leaves out. Imports paddle.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import paddle
from onnx.numpy_helper import to_array
from onnx.reference import ReferenceEvaluator

from fqbench.convert import operators
from fqbench.convert.operators.operator import (
    REGISTRY,
    Operator,
    Unsupported,
    Values,
    parameter,
)
from fqbench.convert.program import Program, save
from fqbench.errors import StepError
from fqbench.graph import checking
from fqbench.graph.graph import Graph

for _module in pkgutil.iter_modules(operators.__path__, f"{operators.__name__}."):
    importlib.import_module(_module.name)  # Each registers its operators.

LONGEST = 200
"""Characters of what Paddle says; its messages hold pages."""


def write_program(model: onnx.ModelProto, folder: Path) -> None:
    """Write ``model``, a canonical graph, as ``model.pdmodel`` and its parameters into ``folder``.

    Raises StepError that names the operator which Paddle, or fqbench, has no form for.
    """
    paddle.enable_static()
    model = onnx.shape_inference.infer_shapes(model)
    _check_known(model)
    program, startup = paddle.static.Program(), paddle.static.Program()
    scope = paddle.static.scope_guard(paddle.static.Scope())
    with scope, paddle.static.program_guard(program, startup):
        graph = Graph(model)
        values: Values = {name: to_array(tensor) for name, tensor in graph.weights.items()}
        feeds = [value for value in model.graph.input if value.name in graph.inputs]
        values.update((value.name, _fed(value)) for value in feeds)
        for node in model.graph.node:
            _write(node, graph, values, checking.opset_of(model))
        fetches = _with_parameter(_fetched([values[name] for name in graph.outputs]))
        executor = paddle.static.Executor(paddle.CPUPlace())
        try:
            save(Program(program, tuple(graph.inputs), fetches, executor), folder)
        except ValueError as error:
            raise StepError(
                "the model cannot be converted to Paddle: an input of it is not read"
            ) from error


def _check_known(model: onnx.ModelProto) -> None:
    unknown = sorted({n.op_type for n in model.graph.node if not _is_known(n)})
    if unknown:
        raise StepError(
            "the model cannot be converted to Paddle: fqbench has no form there of the"
            f" operator{'s'[: len(unknown) - 1]} {', '.join(unknown)}"
        )


def _is_known(node: onnx.NodeProto) -> bool:
    return node.domain in ("", "ai.onnx") and node.op_type in {*REGISTRY, "Constant"}


def _fed(value: onnx.ValueInfoProto) -> Any:
    """The variable of an input."""
    tensor = value.type.tensor_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    shape = [dim.dim_value if dim.dim_value > 0 else -1 for dim in tensor.shape.dim]
    return paddle.static.data(value.name, shape, dtype)


def _fetched(results: list[Any]) -> tuple[Any, ...]:
    """The variables of the outputs: a copy of what is constant, fed, or an output already."""
    fetches: list[Any] = []
    for result in results:
        variable = parameter(result) if isinstance(result, np.ndarray) else result
        own = variable.op is not None and not variable.persistable
        twice = any(variable.name == other.name for other in fetches)
        fetches.append(variable if own and not twice else paddle.assign(variable))
    return tuple(fetches)


def _with_parameter(fetches: tuple[Any, ...]) -> tuple[Any, ...]:
    """``fetches``, of a program with one parameter at least: without any, Paddle loads none."""
    block = paddle.static.default_main_program().global_block()
    if any(variable.persistable for variable in block.vars.values()):
        return fetches
    first, *others = fetches
    if first.dtype == paddle.bool:
        return (paddle.logical_or(first, parameter(np.zeros(1, np.bool_))), *others)
    zero = paddle.cast(parameter(np.zeros(1, np.float32)), first.dtype)
    return (paddle.add(first, zero), *others)


def _write(node: onnx.NodeProto, graph: Graph, values: Values, opset: int) -> None:
    """Put the results of ``node`` into ``values``."""
    if all(isinstance(values[name], np.ndarray) for name in node.input if name):
        found: Any = _computed(node, values, opset)
    else:
        try:
            found = REGISTRY[node.op_type](Operator(node, graph, values, opset))
        except Exception as error:  # Paddle's own exceptions are of all kinds.
            raise StepError(
                f"the model cannot be converted to Paddle: {node.op_type} {node.name!r}:"
                f" {_reason(error)}"
            ) from error
    results = found if isinstance(found, list) else [found] * len(node.output)
    values.update((name, result) for name, result in zip(node.output, results, strict=True) if name)


def _computed(node: onnx.NodeProto, values: Values, opset: int) -> list[Any]:
    """The results of a node that reads constants only."""
    inputs = [name for name in dict.fromkeys(node.input) if name]
    described = [_described(name, values[name]) for name in inputs]
    results = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "constant", described, results),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
    )
    found = ReferenceEvaluator(model).run(None, {name: values[name] for name in inputs})
    by_name = dict(zip((value.name for value in results), map(np.asarray, found), strict=True))
    return [by_name.get(name) for name in node.output]


def _described(name: str, value: Any) -> onnx.ValueInfoProto:
    kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    return onnx.helper.make_tensor_value_info(name, kind, None)


def _reason(error: Exception) -> str:
    if isinstance(error, Unsupported):
        return str(error)
    lines = [line.strip() for line in str(error).splitlines() if "Error: " in line]
    text = " ".join((lines or [str(error) or type(error).__name__])[-1].split())
    return f"Paddle refuses it: {text[:LONGEST]}"
