"""How long each layer takes on ONNX Runtime, by its own profile."""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.backends.node_times import NodeTime, Role
from fqbench.backends.onnxruntime.runtime import MODEL, options_for
from fqbench.graph.executor import Feed, open_session, session_options
from fqbench.graph.graph import Graph

RUNS = 5

KERNEL = re.compile(r"(?:_token_\d+)?_kernel_time$")
LAYERS = ("Conv", "FusedConv", "QLinearConv", "Gemm", "FusedGemm", "QGemm")
PRODUCTS = ("MatMul", "FusedMatMul", "QLinearMatMul", "MatMulIntegerToFloat", "ConvInteger")
"""Kinds of nodes beside ``LAYERS`` that multiply matrices."""
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "ReorderInput", "ReorderOutput", "Cast")
INTEGERS = ("uint8", "int8")


@dataclass(frozen=True)
class _Event:
    """A run of a node's kernel, in milliseconds; ``reads``: the type of its first input."""

    node: str
    kind: str
    reads: str
    ms: float


def layer_times(
    model: onnx.ModelProto, layers: Graph, feed: Feed, threads: int
) -> dict[str, float]:
    """Milliseconds that the kernel of each layer takes in ``model``, a form of ``layers``.

    A layer whose kernel cannot be told from its name, as optimizers rename nodes, is left out.
    """
    names = _names(layers)
    times: dict[str, list[float]] = defaultdict(list)
    for event in _events(model.SerializeToString(), session_options(threads), feed):
        if event.kind in LAYERS and event.node in names:
            times[names[event.node]].append(event.ms)
    return {name: median(found) for name, found in times.items()}


def time_nodes(
    folder: Path, canonical: Graph, feed: Feed, *, precision: str, threads: int
) -> list[NodeTime]:
    """See ``fqbench.backends.node_times.TimeNodes``."""
    names = _names(canonical)
    depthwise = {node.name for node in canonical.layers() if canonical.is_depthwise(node)}
    runs: dict[tuple[str, str], list[_Event]] = defaultdict(list)
    for event in _events(folder / MODEL, options_for(precision, threads), feed):
        runs[event.node, event.kind].append(event)
    return [
        NodeTime(
            kind=kind,
            role=_role(kind),
            layer=(layer := names.get(node) if kind in LAYERS else None),
            depthwise=layer in depthwise,
            integers=found[0].reads in INTEGERS,
            ms=min(event.ms for event in found),
        )
        for (node, kind), found in runs.items()
    ]


def _role(kind: str) -> Role:
    if kind in LAYERS or kind in PRODUCTS:
        return "layer"
    return "conversion" if kind in CONVERSIONS else "operator"


def _names(layers: Graph) -> Mapping[str, str]:
    """The names of layers by those of nodes that may be them."""
    found = {node.name: node.name for node in layers.layers()}
    found.update({f"{node.output[0]}_nchwc": node.name for node in layers.layers()})
    found.update({f"{layers.result(node)}_nchwc": node.name for node in layers.layers()})
    return found


def _events(model: Path | bytes, options: Any, feed: Feed) -> Iterator[_Event]:
    """Every run of every node's kernel, in ``RUNS`` inferences."""
    with tempfile.TemporaryDirectory() as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = open_session(model, options)
        inputs = _named_inputs(session, feed)
        for _ in range(RUNS):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text())
    for event in events:
        if event.get("cat") == "Node" and KERNEL.search(event["name"]):
            about = event.get("args", {})
            read = next((kind for kind in about.get("input_type_shape", [{}])[0]), "")
            yield _Event(
                KERNEL.sub("", event["name"]), about.get("op_name", ""), read, event["dur"] / 1000
            )


def _named_inputs(session: Any, feed: Feed) -> dict[str, NDArray[np.float32]]:
    names: Sequence[str] = [value.name for value in session.get_inputs()]
    return dict(zip(names, feed, strict=True))
