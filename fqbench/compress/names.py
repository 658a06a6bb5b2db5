"""What a model's layers and tensors are called, in its graph and in Paddle's programs.

Runs in a child process.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fqbench.compress.config import CONVOLUTIONS, PRODUCTS
from fqbench.compress.layers import plain
from fqbench.isolate import Report

if TYPE_CHECKING:
    from fqbench.convert.program import Program
    from fqbench.graph.graph import Graph


def read_names(arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """What ``Layers`` holds, of the graph in the folder ``canonical``.

    With Paddle's names of weights where ``program`` is the folder of the converted model, and of
    outputs where ``model`` (and ``params``) is the file that the graph came from.
    """
    import onnx

    from fqbench.convert.program import load
    from fqbench.graph.graph import Graph

    graph = Graph(onnx.load(str(Path(arguments["canonical"]) / "model.onnx")))
    program, model = arguments["program"], arguments["model"]
    variables = _weights(graph, load(Path(program))) if program else {}
    nodes = graph.model.graph.node
    tensors = {name: name for node in nodes for name in node.output}
    if model:
        tensors |= _outputs(graph, _loaded(Path(model), Path(arguments["params"])))
    layers = [
        {
            "name": node.name,
            "kind": _kind(graph, node),
            "source": node.input[0],
            "weight": node.input[1],
            "variable": variables.get(node.name),
        }
        for node in graph.layers()
    ]
    transposed = sum(node.op_type == "ConvTranspose" for node in nodes)
    return {"layers": layers, "tensors": tensors, "transposed": transposed}


def _kind(graph: Graph, node: Any) -> str:
    """What Paddle calls the operator."""
    return CONVOLUTIONS[graph.is_depthwise(node)] if node.op_type == "Conv" else PRODUCTS[0]


def _weights(graph: Graph, program: Program) -> dict[str, str]:
    """Paddle's name of each convolution's weight, by the convolution; found by its bytes."""
    import numpy as np
    import paddle
    from onnx import numpy_helper

    from fqbench.convert.program import digest

    scope = paddle.static.global_scope()
    converted = [op.input("Filter")[0] for op in program.block.ops if op.type in CONVOLUTIONS]
    named = _counted(
        (digest(np.asarray(scope.find_var(name).get_tensor())), name) for name in converted
    )
    found = _counted(
        (digest(numpy_helper.to_array(graph.weights[node.input[1]])), node.name)
        for node in graph.convolutions()
    )
    return {found[key]: named[key] for key in found if key in named}


def _counted(pairs: Iterator[tuple[str, str]]) -> dict[tuple[str, int], str]:
    """Names by what they stand for, and by how many stood for the same before."""
    seen: Counter[str] = Counter()
    result = {}
    for key, name in pairs:
        result[key, seen[key]] = name
        seen[key] += 1
    return result


def _loaded(model: Path, params: Path) -> Program:
    from fqbench.convert.program import STEM, load

    with tempfile.TemporaryDirectory() as folder:
        for path, suffix in ((model, ".pdmodel"), (params, ".pdiparams")):
            shutil.copyfile(path, Path(folder) / f"{STEM}{suffix}")
        return load(Path(folder))


def _outputs(graph: Graph, program: Program) -> dict[str, str]:
    """What Paddle calls the outputs before it copies them: the graph has the last name only."""
    from fqbench.convert.program import producer_of

    found: dict[str, str] = {}
    if len(program.fetches) != len(graph.outputs):
        return found  # It ends in what is cut off.
    for fetched, output in zip(program.fetches, graph.outputs, strict=True):
        name: str | None = fetched.name
        while name is not None:
            found[plain(name)] = output
            op = producer_of(program.block, name)
            name = op.input("X")[0] if op is not None and _copies(op) else None
    return found


def _copies(op: Any) -> bool:
    if op.type == "scale":
        return bool(op.attr("scale") == 1.0 and op.attr("bias") == 0.0)
    return bool(op.type == "assign")
