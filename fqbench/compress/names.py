"""What a model's layers and tensors are called, in its graph and in Paddle's programs.

Runs in a child process.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fqbench.compress.config import CONVOLUTIONS, PRODUCTS
from fqbench.compress.layers import Layer, Layers, canonical_name
from fqbench.isolate import Report
from fqbench.steps import Job

if TYPE_CHECKING:
    from fqbench.convert.program import Program
    from fqbench.graph.graph import Graph


class Names(Job):
    """``canonical``: the folder of the canonical graph.

    ``program``: that of the model as Paddle runs it, where Paddle's names of weights are wanted;
    ``source``: Paddle's files that the graph came from, where its names of outputs are.
    """

    canonical: Path
    program: Path | None
    source: tuple[Path, ...]


def read_names(job: Names, report: Report) -> None:
    """Write ``names.json``: ``Layers``."""
    import onnx

    from fqbench.convert.program import load
    from fqbench.graph.graph import Graph

    graph = Graph(onnx.load(str(job.canonical / "model.onnx")))
    variables = {} if job.program is None else _weights(graph, load(job.program))
    nodes = graph.model.graph.node
    tensors = {name: name for node in nodes for name in node.output}
    if job.source:
        tensors |= _outputs(graph, _loaded(*job.source))
    layers = tuple(
        Layer(node.name, _kind(graph, node), node.input[0], node.input[1], variables.get(node.name))
        for node in graph.layers()
    )
    transposed = sum(node.op_type == "ConvTranspose" for node in nodes)
    found = Layers(layers, tensors, transposed)
    (job.folder / "names.json").write_text(json.dumps(asdict(found)))


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
            found[canonical_name(name)] = output
            op = producer_of(program.block, name)
            name = op.input("X")[0] if op is not None and _copies(op) else None
    return found


def _copies(op: Any) -> bool:
    if op.type == "scale":
        return bool(op.attr("scale") == 1.0 and op.attr("bias") == 0.0)
    return bool(op.type == "assign")
